// Reads the files of one bundle. A file is read by the attributes it has when it is opened; when they
// changed while it was read, it is read once more, and after that it is kept as read, with a warning.

import { equalBytes, isZero } from "../../vault/bytes.ts";
import type { Chunker } from "../../vault/chunk/chunker.ts";
import { startChunkId } from "../../vault/chunkId.ts";
import { hashSmallFile, startSmallFile } from "../../vault/fileHash.ts";
import type { HmacEngine, RunningHmac } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType, Width } from "../../vault/magic.ts";
import { type Handle, type Platform, SELF } from "../platform/port.ts";
import { CHANGE_MARK_WORDS, STAT_ROW_BYTES, StatTable } from "../platform/statTable.ts";
import { describeSystemError } from "../platform/systemError.ts";
import { OutcomePacker, type PackedFiles, packedName } from "./bundleMessage.ts";
import type { FileOutcome, FileToOpen, FromWorker } from "./messages.ts";
import type { Windows } from "./windows.ts";

export type ReadContext = {
  readonly platform: Platform;
  readonly windows: Windows;
  readonly hmacs: HmacEngine;
  readonly idKey: Buffer;
  readonly fileHashKey: Buffer;
  readonly gear: Uint32Array;
  readonly chunker: Chunker;
  readonly post: (message: FromWorker) => void;
};

const noRefs = new Uint8Array(0);
const noPath = Buffer.alloc(0);
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
    apart: false,
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

/** A directory that the main thread has open. Messages name no path here: the main thread knows it. */
export function directoryOf(fd: number): Handle {
  return { fd, path: noPath };
}

/** Reads all files of a bundle into a window, hashes them and posts the result. Yields while no window is free. */
export function* readBundle(context: ReadContext, task: number, files: PackedFiles): Generator<void> {
  const { windows } = context;
  // Room for what the walk saw, and for one file that has grown up to the largest that may still be bundled.
  const room = Math.min(
    files.sizes.reduce((sum, size) => sum + size, limits.bundledFileBytesMax + 1),
    limits.plainBytesMax,
  );
  while (!windows.reserve(room)) yield;
  // Never more: a bundle is one chunk, and files that all have grown would fill the window.
  const rest = windows.rest().subarray(0, room);
  let used = 0;
  const packer = new OutcomePacker(files.count);
  // Takes the bytes of a file when it is certain that they belong to the bundle, while they are hot in the cache.
  const chunk = startChunkId(context.hmacs, context.idKey, RecordType.data, noRefs);
  for (let i = 0; i < files.count; i++) used += readOne(context, files, i, rest, used, chunk, packer);
  const outcomes = packer.finish();
  if (used === 0) {
    context.post({ kind: "bundle", task, id: undefined, place: undefined, outcomes });
    return;
  }
  context.post({ kind: "bundle", task, id: chunk.digest(), place: windows.take(used), outcomes });
}

/** Reads file i to `used` of the bundle; returns the bytes that it takes there. */
function readOne(
  context: ReadContext,
  files: PackedFiles,
  i: number,
  rest: Buffer,
  used: number,
  chunk: RunningHmac,
  packer: OutcomePacker,
): number {
  const room = rest.subarray(used);
  const file = fileAt(files, i);
  let outcome: FileOutcome;
  try {
    if (readUnchanged(context, file, room)) {
      const bytes = room.subarray(0, file.size);
      if (file.previousHash === undefined) {
        const hash = startSmallFile(context.hmacs, context.fileHashKey);
        context.hmacs.both(hash, chunk, bytes);
        packer.addPlain(i, file.size, used, hash.digest());
        return file.size;
      }
      const hash = hashSmallFile(context.fileHashKey, bytes, context.hmacs);
      if (!equalBytes(hash, file.previousHash)) {
        chunk.update(bytes);
        packer.addPlain(i, file.size, used, hash);
        return file.size;
      }
    }
    const first = readAttempt(context, file, room, used);
    outcome = first.changed === undefined ? first : readAttempt(context, file, room, used);
  } catch (error) {
    outcome = failedOutcome(describeSystemError(error));
  }
  packer.addSpecial(i, outcome);
  if (outcome.offset < 0) return 0;
  chunk.update(room.subarray(0, outcome.size));
  return outcome.size;
}

function fileAt(files: PackedFiles, i: number): FileToOpen {
  const previousHash = files.previousHashes.subarray(i * Width.id, (i + 1) * Width.id);
  return {
    directory: files.directories[i] as number,
    name: packedName(files, i),
    size: files.sizes[i] as number,
    mark: files.marks.subarray(i * CHANGE_MARK_WORDS, (i + 1) * CHANGE_MARK_WORDS),
    previousHash: isZero(previousHash) ? undefined : previousHash,
  };
}

/**
 * The usual case with the fewest calls: a file without attributes that is after reading as the walk saw it before, so it did not
 * change in between. False where anything is otherwise and a careful attempt has to follow.
 */
function readUnchanged(context: ReadContext, file: FileToOpen, room: Buffer): boolean {
  if (file.size > room.length) return false;
  const { platform } = context;
  const handle = platform.openFile(directoryOf(file.directory), file.name);
  try {
    if (platform.read(handle, room.subarray(0, file.size), 0) !== file.size) return false;
    platform.stat(handle, SELF, table, 0);
    if (!table.sameChangeMark(0, file.mark, 0) || hasHoles(platform, handle)) return false;
    const { xattrs, xattrsFailed } = xattrsOf(platform, handle);
    return xattrs.length === 0 && xattrsFailed === undefined;
  } finally {
    platform.close(handle);
  }
}

/** Whether the file that row 0 of the table is of has holes. Compression too makes it take less room than its size: so it is asked. */
function hasHoles(platform: Platform, handle: Handle): boolean {
  const size = table.size(0);
  if (table.allocatedBytes(0) >= size) return false;
  const [first] = platform.dataSegments(handle, 0, size, 1);
  return first === undefined || first.start > 0 || first.end < size;
}

function readAttempt(context: ReadContext, file: FileToOpen, room: Buffer, offset: number): FileOutcome {
  const { platform } = context;
  const handle = platform.openFile(directoryOf(file.directory), file.name);
  try {
    platform.stat(handle, SELF, table, 0);
    const expected = table.size(0);
    if (expected > Math.min(room.length, limits.bundledFileBytesMax) || hasHoles(platform, handle)) {
      return { ...failedOutcome(undefined), apart: true };
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
    const fileHash =
      size === 0 ? undefined : hashSmallFile(context.fileHashKey, room.subarray(0, size), context.hmacs);
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
      apart: false,
    };
  } finally {
    platform.close(handle);
  }
}
