// A worker's look at files that are at the target already with the right size: is their content right too?

import { FileHasher } from "../../vault/fileHash.ts";
import { SystemError } from "../platform/systemError.ts";
import { applyMetadata } from "./applyMetadata.ts";
import type { FileJob } from "./jobs.ts";
import type { WorkerNote } from "./messages.ts";
import { failure, type WriteContext, warning } from "./writeSmall.ts";

const pieceBytes = 1024 * 1024;
const piece = Buffer.allocUnsafeSlow(pieceBytes);

/** 1 for every file that is right; its metadata is set then, but with `look`. One that cannot be read counts as wrong. */
export function verifyFiles(
  context: WriteContext,
  jobs: readonly FileJob[],
  look: boolean,
): { readonly right: Uint8Array; readonly notes: WorkerNote[] } {
  const right = new Uint8Array(jobs.length);
  const notes: WorkerNote[] = [];
  for (const [index, job] of jobs.entries()) {
    if (!isRight(context, job)) continue;
    right[index] = 1;
    if (look) continue;
    try {
      const handle = context.directories.at(job.directory);
      const target = { ...context, handle, name: job.name, symlink: false, existing: true };
      for (const problem of applyMetadata(target, job.metadata)) notes.push(warning(index, problem));
    } catch (error) {
      notes.push(failure(index, error));
    }
  }
  return { right, notes };
}

function isRight(context: WriteContext, job: FileJob): boolean {
  const { platform, directories, fileHashKey, hmacs } = context;
  try {
    const file = platform.openFile(directories.at(job.directory), job.name);
    try {
      const hasher = new FileHasher(fileHashKey, { engine: hmacs });
      let at = 0;
      for (let got = platform.read(file, piece, 0); got > 0; got = platform.read(file, piece, at)) {
        hasher.update(piece.subarray(0, got));
        at += got;
        if (at > job.size) return false;
      }
      if (at !== job.size) return false;
      return at === 0 || (job.hash !== undefined && hasher.digest()?.equals(job.hash) === true);
    } finally {
      platform.close(file);
    }
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
