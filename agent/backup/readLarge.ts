// Reads one file of more than a bundle's share: its runs of data are cut into chunks, holes stay holes.
// The data of a run goes through the windows; what lies behind a cut at the end of a window is copied to the next.

import { fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";
import { startChunkId } from "../../vault/chunkId.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { type Handle, SELF, type Segment } from "../platform/port.ts";
import { CHANGE_MARK_WORDS, StatTable } from "../platform/statTable.ts";
import { describeSystemError } from "../platform/systemError.ts";
import type { FileOutcome, FileToOpen } from "./messages.ts";
import { directoryOf, failedOutcome, type ReadContext, rowIfChanged, xattrsOf } from "./readSmall.ts";

const noRefs = new Uint8Array(0);
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
  const reader = new RunReader(context, task, handle, hasher, fixedBytes);
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

/** Cuts runs of data into chunks inside the windows. */
class RunReader {
  /** True when the file ended before the run did. */
  ended = false;
  readonly #context: ReadContext;
  readonly #task: number;
  readonly #handle: Handle;
  readonly #hasher: FileHasher;
  /** Chunk length, or undefined for cuts by content. */
  readonly #fixedBytes: number | undefined;

  constructor(
    context: ReadContext,
    task: number,
    handle: Handle,
    hasher: FileHasher,
    fixedBytes: number | undefined,
  ) {
    this.#context = context;
    this.#task = task;
    this.#handle = handle;
    this.#hasher = hasher;
    this.#fixedBytes = fixedBytes;
  }

  /** Reads [start, end); returns where it really ended. */
  *run(start: number, end: number): Generator<void, number> {
    const { windows } = this.#context;
    let position = start; // the next chunk begins here
    let carry: Buffer = Buffer.alloc(0); // read but not yet cut
    while (position < end) {
      const wanted = Math.min(limits.chunkBytesMax, end - position);
      while (!windows.reserve(wanted)) {
        carry = Buffer.from(carry); // the window it lies in may be used again meanwhile
        yield;
      }
      const rest = windows.rest();
      // Mostly it lies where it has to be already.
      if (carry.buffer !== rest.buffer || carry.byteOffset !== rest.byteOffset) carry.copy(rest);
      let filled = carry.length;
      const readable = Math.min(rest.length, end - position);
      while (filled < readable) {
        const got = this.#context.platform.read(
          this.#handle,
          rest.subarray(filled, readable),
          position + filled,
        );
        if (got === 0) {
          this.ended = true;
          end = position + filled;
          break;
        }
        filled += got;
      }
      const isEnd = position + filled >= end;
      let cut = 0;
      while (cut < filled) {
        const next = this.#nextCut(rest, cut, filled, position);
        // A cut before the end of what was read is the same whatever follows. At the end it is one only where no more can follow.
        if (next === filled && !isEnd && filled - cut < limits.chunkBytesMax) break;
        this.#chunk(rest, cut, next);
        position += next - cut;
        cut = next;
      }
      carry = rest.subarray(cut, filled);
      yield;
    }
    return position;
  }

  #nextCut(bytes: Buffer, start: number, end: number, position: number): number {
    return this.#fixedBytes === undefined
      ? nextCut(bytes, start, end, this.#context.gear)
      : nextFixedCut(this.#fixedBytes, position, start, end);
  }

  #chunk(rest: Buffer, start: number, end: number): void {
    const { hmacs, idKey, windows, post } = this.#context;
    const id = startChunkId(hmacs, idKey, RecordType.data, noRefs);
    this.#hasher.update(rest.subarray(start, end), id);
    post({ kind: "chunk", task: this.#task, id: id.digest(), place: windows.take(end - start) });
  }
}
