// Reads the files of one bundle. A file is read by the attributes it has when it is opened; when they
// changed while it was read, it is read once more, and after that it is kept as read, with a warning.

import { asBuffer } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { hashSmallFile } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { type Handle, type Platform, SELF } from "../platform/port.ts";
import { CHANGE_MARK_WORDS, STAT_ROW_BYTES, StatTable } from "../platform/statTable.ts";
import { describeSystemError } from "../platform/systemError.ts";
import type { FileOutcome, FileToOpen, FromWorker } from "./messages.ts";
import type { Windows } from "./windows.ts";

export type ReadContext = {
  readonly platform: Platform;
  readonly windows: Windows;
  readonly idKey: Buffer;
  readonly fileHashKey: Buffer;
  readonly gear: Uint32Array;
  readonly fixedChunks: boolean;
  readonly post: (message: FromWorker) => void;
};

const noRefs = new Uint8Array(0);
const table = new StatTable(2);
const mark = new Uint32Array(CHANGE_MARK_WORDS);

/** An outcome without content. */
export function failedOutcome(reason: string | undefined): FileOutcome {
  return {
    failed: reason,
    changed: undefined,
    row: undefined,
    xattrs: [],
    xattrsFailed: undefined,
    size: 0,
    fileHash: undefined,
    offset: -1,
    sameContent: false,
    outgrown: false,
  };
}

/** The extended attributes of an open file, or why there are none: what a file holds is worth more than they are. */
export function xattrsOf(platform: Platform, handle: Handle): Pick<FileOutcome, "xattrs" | "xattrsFailed"> {
  try {
    return { xattrs: platform.xattrs(handle, SELF), xattrsFailed: undefined };
  } catch (error) {
    return { xattrs: [], xattrsFailed: describeSystemError(error) };
  }
}

/** The attribute row `row` of `table`, copied, unless it agrees with the walk's mark. */
export function rowIfChanged(rows: StatTable, row: number, walked: Uint32Array): Uint8Array | undefined {
  if (rows.sameChangeMark(row, walked, 0)) return undefined;
  return Uint8Array.from(rows.rows.subarray(row * STAT_ROW_BYTES, (row + 1) * STAT_ROW_BYTES));
}

/** Reads all files of a bundle into a window, hashes them and posts the result. Yields while no window is free. */
export function* readBundle(
  context: ReadContext,
  task: number,
  files: readonly FileToOpen[],
): Generator<void> {
  const { windows } = context;
  // Room for what the walk saw, and for one file that has grown up to the largest that may still be bundled.
  const room = Math.min(
    files.reduce((sum, file) => sum + file.size, limits.bundledFileBytesMax + 1),
    limits.plainBytesMax,
  );
  while (!windows.reserve(room)) yield;
  // Never more: a bundle is one chunk, and files that all have grown would fill the window.
  const rest = windows.rest().subarray(0, room);
  let used = 0;
  const outcomes: FileOutcome[] = [];
  for (const file of files) {
    const outcome = readOne(context, file, rest.subarray(used), used);
    if (outcome.offset >= 0) used += outcome.size;
    outcomes.push(outcome);
  }
  if (used === 0) {
    context.post({ kind: "bundle", task, id: undefined, place: undefined, outcomes });
    return;
  }
  const id = chunkId(context.idKey, RecordType.data, noRefs, rest.subarray(0, used));
  context.post({ kind: "bundle", task, id, place: windows.take(used), outcomes });
}

function readOne(context: ReadContext, file: FileToOpen, room: Buffer, offset: number): FileOutcome {
  try {
    const first = readAttempt(context, file, room, offset);
    return first.changed === undefined ? first : readAttempt(context, file, room, offset);
  } catch (error) {
    return failedOutcome(describeSystemError(error));
  }
}

function readAttempt(context: ReadContext, file: FileToOpen, room: Buffer, offset: number): FileOutcome {
  const { platform } = context;
  const handle = platform.openFile({ fd: file.directory, path: asBuffer(file.path) }, file.name);
  try {
    platform.stat(handle, SELF, table, 0);
    const expected = table.size(0);
    if (expected > Math.min(room.length, limits.bundledFileBytesMax)) {
      return { ...failedOutcome(undefined), outgrown: true };
    }
    // One byte more than expected tells a file that grows; it may not take the room of its neighbours.
    const most = Math.min(room.length, Math.max(expected, file.size) + 1, limits.bundledFileBytesMax + 1);
    let size = 0;
    while (size < most) {
      const got = platform.read(handle, room.subarray(size, most), size);
      if (got === 0) break;
      size += got;
    }
    table.copyChangeMark(0, mark, 0);
    platform.stat(handle, SELF, table, 1);
    const grown = size > expected;
    if (grown) size = expected;
    const changed = grown || size !== expected || !table.sameChangeMark(1, mark, 0);
    const fileHash = size === 0 ? undefined : hashSmallFile(context.fileHashKey, room.subarray(0, size));
    const sameContent =
      fileHash !== undefined &&
      file.previousHash !== undefined &&
      Buffer.compare(fileHash, file.previousHash) === 0;
    return {
      failed: undefined,
      changed: changed ? "changed while it was read; kept as it was read" : undefined,
      row: rowIfChanged(table, 0, file.mark),
      ...xattrsOf(platform, handle),
      size,
      fileHash,
      offset: size === 0 || sameContent ? -1 : offset,
      sameContent,
      outgrown: false,
    };
  } finally {
    platform.close(handle);
  }
}
