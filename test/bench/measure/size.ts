import { lstatSync, readdirSync } from "node:fs";
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
