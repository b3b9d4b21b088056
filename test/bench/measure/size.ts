import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Bytes of all files under `path`: the smaller of length and allocated blocks for each, because a sparse database map
 * is longer than what it takes, and a preallocated or rounded-up file takes more than it holds. Other programs may be
 * deleting meanwhile: what is gone counts nothing.
 */
export function sizeOnDisk(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return Math.min(stat.size, stat.blocks * 512);
  return readdirSync(path).reduce((sum, name) => sum + sizeOnDisk(join(path, name)), 0);
}

/** Lengths of all files below a folder that nobody changes. */
export function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}
