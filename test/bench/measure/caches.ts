// The state of the page cache before a measured step, and the disk's quiet.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

/** "warm": the source was just read once. "cold": the kernel's page, dentry and inode caches were dropped (root only). */
export type CacheState = "warm" | "cold";

/**
 * Brings the caches into the stated state before a step. What is dirty on the file system of `dir` is
 * written out first, so that no program pays for what the one before it left behind.
 */
export function prepareCaches(state: CacheState, sources: readonly string[], dir: string): void {
  execFileSync("sync", ["-f", dir]);
  if (state === "cold") {
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    return;
  }
  for (const source of sources) {
    execFileSync("sh", ["-c", 'find "$1" -type f -print0 | xargs -0 -r cat >/dev/null', "sh", source]);
  }
}
