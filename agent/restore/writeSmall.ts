// A worker's work on small files: those whose bytes lie in one chunk.
//
// A file's bytes are compared with its hash before anything is written. A new file is made under its own name; one that takes the
// place of another is written beside it and renamed, so that a good file is never half overwritten.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { FileHasher, hashSmallFile } from "../../vault/fileHash.ts";
import type { HmacEngine } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { describeSystemError, Errno, SystemError } from "../platform/systemError.ts";
import { applyMetadata, isDiskFull, newFileMode, type Rights } from "./applyMetadata.ts";
import { besideName } from "./besideName.ts";
import type { FileJob } from "./jobs.ts";
import type { WorkerNote } from "./messages.ts";
import type { TargetDirectories } from "./targetDirectories.ts";
import type { Turns } from "./turns.ts";

export type WriteContext = {
  readonly platform: Platform;
  readonly directories: TargetDirectories;
  readonly rights: Rights;
  readonly fileHashKey: Buffer;
  /** What hashes files. */
  readonly hmacs: HmacEngine;
  readonly turns: Turns;
};

const none = Buffer.alloc(0);

/**
 * Writes files whose bytes are ranges of `chunk`; an error of one does not stop the others.
 * @param hashes of the files' bytes by the index of the job, as far as they are known already
 */
export function writeSmallFiles(
  context: WriteContext,
  jobs: readonly FileJob[],
  chunk: Buffer,
  hashes: readonly (Buffer | undefined)[] = [],
): WorkerNote[] {
  const notes: WorkerNote[] = [];
  for (const [index, job] of jobs.entries()) {
    try {
      for (const problem of writeOne(context, job, chunk, hashes[index])) notes.push(warning(index, problem));
    } catch (error) {
      const note = failure(index, error);
      notes.push(note);
      if (note.fatal) {
        for (let rest = index + 1; rest < jobs.length; rest++) notes.push({ ...note, index: rest });
        return notes;
      }
    }
  }
  return notes;
}

function writeOne(context: WriteContext, job: FileJob, chunk: Buffer, known: Buffer | undefined): string[] {
  const bytes = chunk.subarray(job.offset, job.offset + job.size);
  if (bytes.length !== job.size) {
    throw new HoldfastError(ErrorCode.corrupt, "the file reaches out of its chunk");
  }
  if (job.size > 0 && !(known ?? hashOf(context, bytes)).equals(job.hash ?? none)) throw wrongHash();
  const directory = context.directories.at(job.directory);
  if (!job.replace) {
    const file = context.turns.take(job.directory, () => createIfAbsent(context, directory, job));
    if (file !== undefined) return fill(context, directory, file, job.name, job, bytes);
  }
  const beside = besideName(job.name, job.hash ?? none);
  const file = context.turns.take(job.directory, () => createAnew(context, directory, beside, job));
  const problems = fill(context, directory, file, beside, job, bytes);
  moveInPlace(context.platform, directory, beside, job.name);
  return problems;
}

function hashOf(context: WriteContext, bytes: Buffer): Buffer {
  if (bytes.length <= limits.fileHashBlockBytes)
    return hashSmallFile(context.fileHashKey, bytes, context.hmacs);
  const hasher = new FileHasher(context.fileHashKey, { engine: context.hmacs });
  hasher.update(bytes);
  return hasher.digest() ?? none;
}

function createIfAbsent(
  { platform, rights }: WriteContext,
  directory: Handle,
  { name, metadata }: FileJob,
): Handle | undefined {
  try {
    return platform.createFile(directory, name, newFileMode(rights, metadata));
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.EEXIST) return undefined;
    throw error;
  }
}

function fill(
  context: WriteContext,
  directory: Handle,
  file: Handle,
  name: Buffer,
  job: FileJob,
  bytes: Buffer,
): string[] {
  const { platform, rights } = context;
  try {
    if (bytes.length > 0) platform.write(file, bytes, 0);
    const target = {
      platform,
      rights,
      handle: file,
      name: SELF,
      symlink: false,
      existing: false,
      likely: true,
    };
    return applyMetadata(target, job.metadata);
  } catch (error) {
    removeQuietly(platform, directory, name);
    throw error;
  } finally {
    platform.close(file);
  }
}

/** Makes a file under a name that only restores use; what is left of an earlier run goes first. */
function createAnew(
  { platform, rights }: WriteContext,
  directory: Handle,
  name: Buffer,
  { metadata }: FileJob,
): Handle {
  const mode = newFileMode(rights, metadata);
  try {
    return platform.createFile(directory, name, mode);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
    platform.removeFile(directory, name);
    return platform.createFile(directory, name, mode);
  }
}

/** Gives a finished file its name; what cannot be put in place is not left lying beside it. */
export function moveInPlace(platform: Platform, directory: Handle, from: Buffer, to: Buffer): void {
  try {
    platform.rename(directory, from, directory, to);
  } catch (error) {
    removeQuietly(platform, directory, from);
    throw error;
  }
}

/** Removes a file if it is there. */
export function removeQuietly(platform: Platform, directory: Handle, name: Buffer): void {
  try {
    platform.removeFile(directory, name);
  } catch (error) {
    // The error that led here is the one to tell of.
    if (!(error instanceof SystemError)) throw error;
  }
}

/** The file's bytes, put together from right chunks, are not what the snapshot says. */
export function wrongHash(): HoldfastError {
  return new HoldfastError(ErrorCode.idMismatch, "its content does not match its hash in the snapshot");
}

/** Something that is not as it should be, though the file is there. */
export function warning(index: number, message: string): WorkerNote {
  return { index, failed: false, fatal: false, code: ErrorCode.ioError, message };
}

/** Why a file was not restored. Anything but expected errors is thrown on. */
export function failure(index: number, error: unknown): WorkerNote {
  if (isHoldfastError(error)) {
    return { index, failed: true, fatal: false, code: error.code, message: error.message };
  }
  if (!(error instanceof SystemError)) throw error;
  const fatal = isDiskFull(error);
  const code = fatal ? ErrorCode.diskFull : ErrorCode.ioError;
  return { index, failed: true, fatal, code, message: describeSystemError(error) };
}
