// Everything this benchmark starts or mounts, so that nothing outlives it.
// Invariant: a process or mount point is in here from before it can exist until after it is seen gone.
// The teardown is synchronous, because it must also work from an "exit" handler.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const groups = new Set<number>();
const mountPoints = new Set<string>();
const others = new Set<() => void>();

/** Puts the process group led by `leader` under watch; returns the function that ends the watch. */
export function watchGroup(leader: number): () => void {
  groups.add(leader);
  return () => groups.delete(leader);
}

/** Puts a mount point under watch, before the mounting process is started. */
export function watchMount(point: string): void {
  mountPoints.add(point);
}

/** Has `end`, which must not wait for anything, called with the rest; returns the function that takes that back. */
export function watchOther(end: () => void): () => void {
  others.add(end);
  return () => others.delete(end);
}

/** Mount points of this system that are `folder` or lie below it, deepest first. */
export function mountsBelow(
  folder: string,
  mountinfo = readFileSync("/proc/self/mountinfo", "utf8"),
): string[] {
  return mountinfo
    .split("\n")
    .map((line) => decodePath(line.split(" ")[4] ?? ""))
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}

// mountinfo writes space, tab, newline and backslash as three octal digits.
function decodePath(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Unmounts `point`, by force if it is busy or its daemon is dead. Returns whether it is gone. */
export function unmount(point: string): boolean {
  const attempts = [
    ["fusermount3", "-u", point],
    ["umount", point],
    ["fusermount3", "-uz", point],
    ["umount", "-l", point],
  ];
  for (const [command, ...args] of attempts) {
    if (!mountsBelow(point).includes(point)) break;
    spawnSync(command as string, args, { stdio: "ignore" });
  }
  const gone = !mountsBelow(point).includes(point);
  if (gone) mountPoints.delete(point);
  return gone;
}

/** Unmounts and ends everything that is still watched: SIGTERM, five seconds of patience, SIGKILL. */
export function endEverything(): void {
  for (const point of mountPoints) unmount(point);
  for (const leader of groups) signalGroup(leader, "SIGTERM");
  for (let waited = 0; waited < 5_000 && [...groups].some(groupRuns); waited += 50) pause(50);
  for (const leader of groups) signalGroup(leader, "SIGKILL");
  groups.clear();
  for (const end of others) end();
}

/** Sends a signal to a whole process group; a group that is gone is no error. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

// A leader that has ended but was not yet reaped by the (blocked) event loop is a zombie, state Z.
function groupRuns(leader: number): boolean {
  try {
    const stat = readFileSync(`/proc/${leader}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return false;
  }
}

/** Sleeps without the event loop. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
