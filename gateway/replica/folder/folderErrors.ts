// What a file system says about a replica's folder, as HoldfastErrors.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { errnoOf } from "../../store/files.ts";

const refusals: ReadonlySet<string | undefined> = new Set([
  "EROFS",
  "EACCES",
  "EPERM",
  "EXDEV",
  "ENAMETOOLONG",
]);

/** The folder itself is not there. */
export function folderMissing(path: string, cause: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.replicaUnreachable, `the replica's folder ${path} is not there`, {
    next: "Connect or mount its disk; replication goes on by itself.",
    detail: { path },
    cause,
  });
}

/** A failure of one file operation in a folder that is there. `path` is the folder's or the file's. */
export function folderError(error: unknown, path: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  const code = errnoOf(error);
  const words = `${path}: ${error instanceof Error ? error.message : String(error)}`;
  const options = { detail: { path }, cause: error };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HoldfastError(ErrorCode.replicaFull, `no space left in the replica's folder: ${words}`, {
      next: "Make room on its disk; replication goes on by itself.",
      ...options,
    });
  }
  if (refusals.has(code)) {
    return new HoldfastError(ErrorCode.replicaRefused, `the replica's folder refuses: ${words}`, {
      next: "Check the rights on the folder, and that its file system is mounted for writing.",
      ...options,
    });
  }
  return new HoldfastError(ErrorCode.replicaUnreachable, `the replica's folder fails: ${words}`, {
    next: "Check the disk and its connection.",
    ...options,
  });
}
