// What the kernel says about processes. Parsers are pure; readers answer undefined for a process that is gone.

import { readdirSync, readFileSync } from "node:fs";

/** The kernel shows times in /proc in units of 10 ms on every Linux port that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system together: of the process itself, and of its children that ended and were waited for. */
export type CpuSeconds = { readonly own: number; readonly reaped: number };

/** Reads the text of /proc/PID/stat. The name in brackets may hold spaces and brackets, so count from the last one. */
export function parseStat(text: string): CpuSeconds {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // proc(5) counts from 1 and the state is field 3: utime 14, stime 15, cutime 16, cstime 17.
  const ticks = (field: number): number => Number(fields[field - 3]);
  return {
    own: (ticks(14) + ticks(15)) / TICKS_PER_SECOND,
    reaped: (ticks(16) + ticks(17)) / TICKS_PER_SECOND,
  };
}

/** Anonymous plus shared memory in bytes from the text of /proc/PID/status; 0 for a zombie, which has none. */
export function parseMemory(text: string): number {
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0);
  return (kibibytes("RssAnon") + kibibytes("RssShmem")) * 1024;
}

/** CPU of one living process; zeros when it is gone. */
export function readCpu(pid: number | "self"): CpuSeconds {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text === undefined ? { own: 0, reaped: 0 } : parseStat(text);
}

/** Anonymous plus shared memory in bytes of those of the processes that still live. */
export function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + parseMemory(readIfThere(`/proc/${pid}/status`) ?? ""), 0);
}

/** CPU seconds of one living process and all its descendants, ended ones included. */
export function treeCpu(root: number): number {
  let seconds = 0;
  for (const pid of processTree(root)) {
    const cpu = readCpu(pid);
    seconds += cpu.own + cpu.reaped;
  }
  return seconds;
}

/** A process and all its living descendants. Children are listed under the thread that started them, so every thread is asked. */
export function processTree(root: number): number[] {
  const found = [root];
  for (const pid of found) {
    for (const thread of listIfThere(`/proc/${pid}/task`)) {
      const children = readIfThere(`/proc/${pid}/task/${thread}/children`)?.trim();
      if (children) found.push(...children.split(" ").map(Number));
    }
  }
  return found;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

function listIfThere(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
