// A new file for a pack that may hold what was written and not synced.
//
// A write that failed is told once, to whoever syncs next; the pages stay in the kernel's memory as they were meant, and count as written. Syncing
// again says nothing of them. Writing them again in place does not help either: ext4 (Linux 6.18) then writes the bytes, says so, and
// does not know that they are there, since it gave the room out before the first, failed, write. Only in a new file is a sync the truth.

import { closeSync, constants, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, syncDirectorySync } from "./files.ts";

const pieceBytes = 2 ** 20;

/**
 * Copies an open pack as it reads, durably, and gives the copy its name. Closes `fd`, and returns a descriptor of the copy for reading and
 * writing. Where there is no room for it, the file is synced as it is: a full disk must not keep what is on it from being read.
 * Throws the system's error; `fd` is open then.
 */
export function copyOpenPack(fd: number, path: string): number {
  const temporary = `${path}.tmp`;
  const copy = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    copyBytes(fd, copy);
    fsyncSync(copy);
  } catch (error) {
    closeSync(copy);
    rmSync(temporary, { force: true });
    if (errnoOf(error) !== "ENOSPC" && errnoOf(error) !== "EDQUOT") throw error;
    fsyncSync(fd);
    return fd;
  }
  try {
    renameSync(temporary, path);
    syncDirectorySync(dirname(path));
  } catch (error) {
    closeSync(copy);
    throw error;
  }
  closeSync(fd);
  return copy;
}

function copyBytes(from: number, to: number): void {
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; ; ) {
    const read = readSync(from, piece, 0, piece.length, at);
    if (read === 0) return;
    for (let done = 0; done < read; ) done += writeSync(to, piece, done, read - done, at + done);
    at += read;
  }
}
