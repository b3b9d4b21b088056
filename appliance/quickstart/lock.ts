// One quickstart at a time per directory. The lock file has the pid of the one that runs.

import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { canLockFiles, lockFile } from "../../agent/platform/fileLock.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** True while a quickstart holds the lock. */
export function isRunning(path: string): boolean {
  if (!existsSync(path) || !canLockFiles()) return false;
  const fd = openSync(path, "r+");
  try {
    return !lockFile(fd);
  } finally {
    closeSync(fd);
  }
}

/** Holds the lock until the process ends. @throws HoldfastError busy */
export function takeLock(path: string, root: string): void {
  const fd = openSync(path, "a+", 0o600);
  if (canLockFiles() && !lockFile(fd)) {
    const pid = readFileSync(path, "utf8").trim();
    closeSync(fd);
    throw new HoldfastError(ErrorCode.busy, `a quickstart is running already in ${root} (process ${pid})`, {
      next: "Use it, or end it with `holdfast quickstart --stop`.",
    });
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`);
}
