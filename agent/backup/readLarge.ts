// Reads one file of more than a bundle's share: its runs of data are cut into chunks, holes stay holes.

import { fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { type Handle, SELF, type Segment } from "../platform/port.ts";
import { CHANGE_MARK_WORDS, StatTable } from "../platform/statTable.ts";
import { describeSystemError } from "../platform/systemError.ts";
import type { FileOutcome, FileToOpen } from "./messages.ts";
import { directoryOf, failedOutcome, type ReadContext, rowIfChanged, xattrsOf } from "./readSmall.ts";
import { RunReader } from "./runReader.ts";

const table = new StatTable(2);
const segmentsAtOnce = 1024;

/**
 * Reads the file, posting holes and chunks in file order and the outcome last: by then the file is closed. Yields between
 * windows.
 */
export function* readLargeFile(context: ReadContext, task: number, file: FileToOpen): Generator<void> {
  context.post({ kind: "file", task, outcome: yield* readOutcome(context, task, file) });
}

function* readOutcome(context: ReadContext, task: number, file: FileToOpen): Generator<void, FileOutcome> {
  let handle: Handle | undefined;
  try {
    handle = context.platform.openFile(directoryOf(file.directory), file.name);
    return yield* readOpened(context, task, file, handle);
  } catch (error) {
    return failedOutcome(describeSystemError(error));
  } finally {
    if (handle !== undefined) context.platform.close(handle);
  }
}

function* readOpened(
  context: ReadContext,
  task: number,
  file: FileToOpen,
  handle: Handle,
): Generator<void, FileOutcome> {
  const { platform, post } = context;
  platform.stat(handle, SELF, table, 0);
  const row = rowIfChanged(table, 0, file.mark);
  const expected = table.size(0);
  const sparse = table.allocatedBytes(0) < expected;
  const mark = new Uint32Array(CHANGE_MARK_WORDS);
  table.copyChangeMark(0, mark, 0);
  const xattrs = xattrsOf(platform, handle);
  const hasher = new FileHasher(context.fileHashKey, { engine: context.hmacs, sizeMax: expected });
  const fixedBytes = fixedChunkBytes(context.chunker, file.name, expected);
  const reader = new RunReader(context, task, hasher, fixedBytes, (target, at) =>
    platform.read(handle, target, at),
  );
  let position = 0;
  const addHole = (length: number): void => {
    if (length === 0) return;
    hasher.skipZeros(length);
    post({ kind: "hole", task, length });
  };
  for (const segment of segments(context, handle, expected, sparse)) {
    addHole(segment.start - position);
    const end = yield* reader.run(segment.start, segment.end);
    position = end;
    if (end < segment.end) break;
  }
  platform.stat(handle, SELF, table, 1);
  // The hole at the end, as long as it still is.
  const size = reader.ended ? position : Math.max(position, Math.min(expected, table.size(1)));
  addHole(size - position);
  const changed = size !== expected || !table.sameChangeMark(1, mark, 0);
  return {
    failed: undefined,
    changed: changed ? "changed while it was read; kept as it was read" : undefined,
    row,
    ...xattrs,
    size,
    fileHash: size === 0 ? undefined : hasher.digest(),
    offset: -1,
    sameContent: false,
    apart: false,
  };
}

function* segments(context: ReadContext, handle: Handle, size: number, sparse: boolean): Generator<Segment> {
  if (!sparse) {
    if (size > 0) yield { start: 0, end: size };
    return;
  }
  for (let from = 0; from < size; ) {
    const found = context.platform.dataSegments(handle, from, size, segmentsAtOnce);
    for (const segment of found) {
      yield segment;
      from = segment.end;
    }
    if (found.length < segmentsAtOnce) return;
  }
}
