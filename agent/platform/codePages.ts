// Gives back the memory of code that starting needed and waiting does not: of Node's 100 MB file, 30 MB are resident once the modules are
// loaded and a gateway was asked, and 3 MB are enough for a program that looks at its clock.
//
// Only pages of the program's file that can be run and not written: the kernel has them in the file, and maps them again where they are
// needed (madvise(2), MADV_DONTNEED). What was written, relocated or compiled is never among them.

import { readFileSync } from "node:fs";
import { bindProcess } from "./libc.ts";

const MADV_DONTNEED = 4;
const functions = { madvise: ["int", "uintptr_t", "uint64", "int"] } as const;

/** Where the code of a file lies, from /proc/PID/maps. */
export function codeRanges(maps: string, file: string): { readonly start: number; readonly bytes: number }[] {
  return maps.split("\n").flatMap((line) => {
    const [, from = "", to = "", path = ""] =
      /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ [1-9]\d* +(\/.*)$/.exec(line) ?? [];
    if (path !== file) return [];
    const start = Number.parseInt(from, 16);
    return [{ start, bytes: Number.parseInt(to, 16) - start }];
  });
}

/** A function that gives the code back each time it is called; undefined on machines that cannot. */
export function codePagesGiver(): (() => void) | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const { madvise } = bindProcess(functions);
    const ranges = codeRanges(readFileSync("/proc/self/maps", "latin1"), process.execPath);
    return () => {
      for (const { start, bytes } of ranges) madvise(start, bytes, MADV_DONTNEED);
    };
  } catch {
    return undefined;
  }
}
