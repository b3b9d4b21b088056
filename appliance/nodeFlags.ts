// What every process of ours tells Node; bin/holdfast has the same, and says why.

import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** Of processors that protect memory by keys. */
const keyFlags: readonly string[] = protectsByKeys() ? ["--no-memory-protection-keys"] : [];
/** Where Node strips types. */
const sourceFlags: readonly string[] = ["--wasm-wrapper-tiering-budget=2147483647"];
const compilerFlags: readonly string[] = ["--no-concurrent-sparkplug"];

/** Of a process that runs sources of ours, and not the program. */
export const nodeFlags: readonly string[] = [...keyFlags, "--no-maglev", ...compilerFlags, ...sourceFlags];

/** Of the program, whose file that is to be loaded first (ownFiles.ts) this is: a source, or what was made of it. */
export function programFlagsWith(ownFiles: string): readonly string[] {
  const isSource = extname(ownFiles) === ".ts";
  return [...keyFlags, ...compilerFlags, ...(isSource ? sourceFlags : []), "--require", ownFiles];
}

/** Of the program that this file is of. */
export const programFlags: readonly string[] = programFlagsWith(
  fileURLToPath(new URL(`./cli/ownFiles${extname(import.meta.url)}`, import.meta.url)),
);

/** True also where nobody knows. */
function protectsByKeys(): boolean {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"))?.[1];
    return flags === undefined || flags.split(" ").includes("ospke");
  } catch {
    return true;
  }
}
