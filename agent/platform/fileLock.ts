// An exclusive lock on an open file that goes with the process, however that ends: flock(2). Node has no call for it.

import { loadLibc } from "./libc.ts";
import { lastErrno } from "./notedErrno.ts";
import { SystemError } from "./systemError.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;
const flockNumber = process.arch === "arm64" ? 32 : 73;

/** True where lockFile works; elsewhere there is no lock. */
export function canLockFiles(): boolean {
  const supported = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
  return supported && process.env.HOLDFAST_PLATFORM !== "portable";
}

/**
 * Locks the open file for as long as `fd` (or a copy of it) is open. False when another process has it.
 * @throws SystemError where the file system cannot lock
 */
export function lockFile(fd: number): boolean {
  if (loadLibc().syscall(flockNumber, fd, LOCK_EX | LOCK_NB, 0, 0, 0) === 0) return true;
  const errno = lastErrno();
  if (errno === EWOULDBLOCK) return false;
  throw new SystemError(errno, "flock", Buffer.from(`file ${fd}`));
}
