// Copies of data directories: of one that nobody uses, and of one in the middle of everything.

import { cpSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** Without what belongs to a process that has LMDB open. */
export function copyData(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => basename(path) !== "lock.mdb" });
}

/** Copies a folder in which files are written, renamed and removed, as it stands at one moment; answers its files' sizes. */
export function copyStanding(from: string, to: string): ReadonlyMap<string, number> {
  for (;;) {
    const before = sizesOf(from);
    try {
      copyData(from, to);
      const after = sizesOf(from);
      if (isSame(before, after)) return after;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    rmSync(to, { recursive: true, force: true });
  }
}

/** Of all files in a folder. */
export function sizesOf(folder: string): Map<string, number> {
  const sizes = new Map<string, number>();
  if (!existsSync(folder)) return sizes;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === "lock.mdb") continue;
    const found = statSync(path, { throwIfNoEntry: false });
    sizes.set(path, found?.size ?? -1);
  }
  return sizes;
}

function isSame(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([path, size]) => other.get(path) === size);
}
