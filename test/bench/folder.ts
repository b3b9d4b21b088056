// One benchmark at a time in a folder, and nothing left mounted there by one that was killed.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BenchFailure } from "./failure.ts";
import { mountsBelow, unmount } from "./lifetimes.ts";

/** Takes the folder for this process and unmounts leftovers; returns the function that empties its run/ and gives it back. */
export function claimFolder(dir: string): () => void {
  const lock = join(dir, "bench.pid");
  const holder = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
  if (holder > 0 && existsSync(`/proc/${holder}`)) {
    throw new BenchFailure(`process ${holder} is using ${dir}: wait for it, or choose another --dir`);
  }
  writeFileSync(lock, String(process.pid));
  for (const point of mountsBelow(dir)) unmount(point);
  return () => {
    rmSync(join(dir, "run"), { recursive: true, force: true });
    rmSync(lock, { force: true });
  };
}
