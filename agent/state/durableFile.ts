// Small files of the state directory: written whole or not at all, readable by their owner alone.

import {
  closeSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** A file's failure in our words. */
export function stateFileError(error: unknown, path: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HoldfastError(ErrorCode.diskFull, `no room left to write ${path}`, {
      next: "Make room and run again.",
      detail: { path },
      cause: error,
    });
  }
  return new HoldfastError(ErrorCode.ioError, `${path}: ${message}`, { detail: { path }, cause: error });
}

/** Puts `text` in the place of what was there, durably. @throws HoldfastError disk-full, io-error */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.new`;
  try {
    const fd = openSync(temporary, "w", 0o600);
    try {
      giveToOwner(fd, path);
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    moveDurably(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw stateFileError(error, path);
  }
}

/** As `replaceFile`, with pieces of any number. @throws HoldfastError disk-full, io-error; what `pieces` throws */
export async function replaceFileBy(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.new`;
  try {
    const fd = openSync(temporary, "w", 0o600);
    try {
      giveToOwner(fd, path);
      for await (const piece of pieces) writeFileSync(fd, piece);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    moveDurably(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw stateFileError(error, path);
  }
}

/** What root writes (a restore, a drive) into another user's state directory is that user's, as the directory is. */
function giveToOwner(fd: number, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  if (uid !== 0) fchownSync(fd, uid, gid);
}

function moveDurably(from: string, to: string): void {
  renameSync(from, to);
  const folder = openSync(dirname(to), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** The text of a file, undefined when there is none. @throws HoldfastError io-error */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw stateFileError(error, path);
  }
}
