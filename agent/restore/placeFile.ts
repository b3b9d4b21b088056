// How a regular file gets to its place: what is there is verified, changed, or replaced.

import { isLinked, type TreeEntry } from "../../fs/view/treeReader.ts";
import { limits } from "../../vault/limits.ts";
import { dataBytesOf } from "../../vault/tree/entry.ts";
import { EntryKind as SystemKind } from "../platform/statTable.ts";
import type { FileWork } from "./fileWork.ts";
import type { FileJob } from "./jobs.ts";
import type { Present } from "./presentAt.ts";
import type { RunCounts } from "./runCounts.ts";

const MiB = 1024 * 1024;
/** From this size on a file that is there already is changed in place. */
const inPlaceBytesMin = 64 * MiB;

export type FileToPlace = {
  readonly entry: TreeEntry;
  readonly directory: Buffer;
  /** Below the target. */
  readonly path: Buffer;
  /** What has the name now; not a directory. */
  readonly there: Present | undefined;
  readonly metadata: FileJob["metadata"];
  /** Called once: whether the file is at its place, and whether its content was right before. */
  readonly finished: (restored: boolean, reused: boolean) => void;
};

/** Hands the file to the workers. */
export function placeFile(work: FileWork, counts: RunCounts, file: FileToPlace): void {
  const { entry, directory, path, there, metadata, finished } = file;
  const size = entry.size ?? 0;
  const old = there?.kind === SystemKind.file ? there : undefined;
  // A name that shares its file with others at the target, but not in the snapshot, gets a file of its own.
  const shared = old !== undefined && old.linkCount > 1 && !isLinked(entry);
  const extent = onlyExtent(entry);
  const job: FileJob = {
    directory,
    name: Buffer.from(entry.name),
    size,
    hash: entry.fileHash,
    offset: extent?.offset ?? 0,
    replace: there !== undefined,
    metadata,
  };
  const action = there === undefined ? "create" : "replace";
  const large = size > 0 && extent === undefined;
  const inPlace = large && old !== undefined && !shared && size >= inPlaceBytesMin && old.size > 0;
  const write = (): void => {
    counts.action(inPlace ? "update" : action, path);
    const done = (restored: boolean): void => finished(restored, false);
    if (large) work.large(entry, job, { inPlace, base: old !== undefined && old.size > 0 }, done);
    else work.small(job, extent, done);
  };
  // In place, ranges are compared one by one anyway.
  const mayBeRight = old !== undefined && old.size === size && !shared && !inPlace;
  if (!mayBeRight || (large && !holesMayBeRight(entry, old))) write();
  else {
    work.verify(job, (right) => {
      if (!right) {
        write();
        return;
      }
      counts.addBytes(size);
      finished(true, true);
    });
  }
}

/** Whether a file has holes where the entry says so; where only its pages would tell, content alone decides. */
function holesMayBeRight({ content, size = 0 }: TreeEntry, there: Present): boolean {
  const dataBytes = content && dataBytesOf(content);
  if (dataBytes === undefined) return true;
  return dataBytes < size === there.allocatedBytes < size;
}

/** The chunk of a file that lies in one, whole or in part. */
function onlyExtent(
  entry: TreeEntry,
): { readonly id: Uint8Array; readonly plainLength: number; readonly offset: number } | undefined {
  if (entry.content?.form !== "inline" || entry.content.extents.length !== 1) return undefined;
  const [extent] = entry.content.extents;
  if (extent === undefined || extent.hole || extent.length > limits.plainBytesMax) return undefined;
  return extent;
}
