// Reading and writing files so that what is reported done is done: full writes, fsync of files and of the
// directories that name them, and one mapping of errno to HoldfastError.

import * as fs from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";

const writev = promisify(fs.writev);
const read = promisify(fs.read);

export const fdatasync = promisify(fs.fdatasync);
export const fsync = promisify(fs.fsync);
export const ftruncate = promisify(fs.ftruncate);
export const openDescriptor = promisify(fs.open);
export const closeDescriptor = promisify(fs.close);
export const fstat = promisify(fs.fstat);

/** Buffers of one writev; Linux takes 1,024. */
const vectorMax = 1024;

/** The errno name of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A file operation's failure as HoldfastError: disk-full, or io-error with the path and the system's words. */
export function fileError(error: unknown, path: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  const code = errnoOf(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HoldfastError(ErrorCode.diskFull, `no space left to write ${path}`, {
      next: "Make room on the gateway's disk; nothing acknowledged is lost and work continues by itself.",
      detail: { path },
      cause: error,
    });
  }
  const words = error instanceof Error ? error.message : String(error);
  return new HoldfastError(ErrorCode.ioError, `${path}: ${words}`, { detail: { path }, cause: error });
}

/** Writes all buffers at `position`. Throws the system's error; what was written by then is undefined. */
export async function writeFully(
  fd: number,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let at = position;
  for (let start = 0; start < buffers.length; start += vectorMax) {
    let rest: Uint8Array[] = buffers.slice(start, start + vectorMax);
    while (rest.length > 0) {
      let { bytesWritten } = await writev(fd, rest, at);
      if (bytesWritten === 0) throw Object.assign(new Error("write wrote nothing"), { code: "ENOSPC" });
      at += bytesWritten;
      let whole = 0;
      while (whole < rest.length && bytesWritten >= rest[whole]!.length)
        bytesWritten -= rest[whole++]!.length;
      rest = rest.slice(whole);
      if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
    }
  }
}

/** Fills `into` from `position`; returns the bytes read, fewer only at the end of the file. */
export async function readFully(fd: number, into: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await read(fd, into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Makes names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = await openDescriptor(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    await fsync(fd);
  } finally {
    await closeDescriptor(fd);
  }
}

/**
 * Makes the names durable that are found in a folder: who gave them may have been killed before that, and they count from now on.
 * @throws HoldfastError io-error
 */
export async function syncFoundNames(folder: string): Promise<void> {
  try {
    await syncDirectory(folder);
  } catch (error) {
    throw fileError(error, folder);
  }
}

/** Makes a folder (not those above it) if need be, and its name durable. @throws HoldfastError disk-full, io-error */
export async function makeFolderDurably(path: string): Promise<void> {
  try {
    // Its name is synced each time: who made it may have been killed before.
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

/** As `syncDirectory`, for callers that are synchronous. */
export function syncDirectorySync(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Writes a file so that after this call it is there whole, also after power loss, and before it either the old one
 * or none. Mode 0600.
 * @throws HoldfastError disk-full, io-error
 */
export function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  return fillFileDurably(path, (file) => file.writeFile(bytes));
}

/**
 * As `writeFileDurably`, with bytes that `fill` writes and may refuse: what it throws leaves the old file.
 * @throws HoldfastError disk-full, io-error, what `fill` throws
 */
export async function fillFileDurably(
  path: string,
  fill: (file: fs.promises.FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    // A file system that met an error may be read-only by now; the next try writes over it.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(error, path);
  }
}
