// Reads a pipe to its end and cuts what comes into chunks, like a large file whose size nobody knows.
//
// Reading waits as long as the writer says nothing. It ends where the main thread gives up and wakes it (platform/pipe.ts).

import { readSync } from "node:fs";
import { fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import type { StreamOutcome, StreamToRead } from "./messages.ts";
import type { ReadContext } from "./readSmall.ts";
import { RunReader } from "./runReader.ts";
import { StreamState } from "./streamState.ts";

const probe = Buffer.alloc(1);

/** Posts the chunks in their order and the outcome last. Yields between windows. The descriptor stays open. */
export function* readStream(context: ReadContext, task: number, stream: StreamToRead): Generator<void> {
  context.post({ kind: "stream", task, outcome: yield* readOutcome(context, task, stream) });
}

function* readOutcome(
  context: ReadContext,
  task: number,
  { fd, name, bytesMax, state: shared }: StreamToRead,
): Generator<void, StreamOutcome> {
  const state = new StreamState(shared);
  const most = bytesMax ?? limits.fileBytesMax;
  let over = false;
  const read = (target: Buffer, position: number): number => {
    const rest = most - position;
    const into = rest > 0 ? target.subarray(0, rest) : probe;
    const got = state.whileReading(() => readSync(fd, into, 0, into.length, null));
    if (state.givenUp) return 0;
    if (rest === 0) {
      over = got > 0;
      return 0;
    }
    state.add(got);
    return got;
  };
  const hasher = new FileHasher(context.fileHashKey, { engine: context.hmacs });
  // By its name alone: it counts as large enough for a disk image.
  const fixedBytes = fixedChunkBytes(context.chunker, name, Number.MAX_SAFE_INTEGER);
  const size = yield* new RunReader(context, task, hasher, fixedBytes, read).run(0, Number.MAX_SAFE_INTEGER);
  return { size, fileHash: hasher.digest(), over };
}
