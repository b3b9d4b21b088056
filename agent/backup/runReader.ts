// Cuts a run of data into chunks: it goes through the windows; what lies behind a cut at the end of a window is copied to the next.

import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";
import { startChunkId } from "../../vault/chunkId.ts";
import type { FileHasher } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import type { ReadContext } from "./readSmall.ts";

const noRefs = new Uint8Array(0);

/** Reads the data at `position` of a file into `target`; how many bytes, 0 at the end. */
export type ReadAt = (target: Buffer, position: number) => number;

/** Cuts runs of data into chunks inside the windows. */
export class RunReader {
  /** True when the file ended before the run did. */
  ended = false;
  readonly #context: ReadContext;
  readonly #task: number;
  readonly #hasher: FileHasher;
  /** Chunk length, or undefined for cuts by content. */
  readonly #fixedBytes: number | undefined;
  readonly #read: ReadAt;

  constructor(
    context: ReadContext,
    task: number,
    hasher: FileHasher,
    fixedBytes: number | undefined,
    read: ReadAt,
  ) {
    this.#context = context;
    this.#task = task;
    this.#hasher = hasher;
    this.#fixedBytes = fixedBytes;
    this.#read = read;
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
        const got = this.#read(rest.subarray(filled, readable), position + filled);
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
