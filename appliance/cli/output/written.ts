// What a command printed reaches its reader before the process ends. Node writes to a pipe as it has room (64 KiB), and drops what waits when
// the process exits: a list of some hundred snapshots would end in the middle, with status 0.

import type { Writable } from "node:stream";

/** For a reader, where the program was told to end before. */
const stoppedMs = 1000;

/** Resolves when all that was written is taken or refused, and errors were told; or when nobody reads any more. A reader that is there and never reads is left when `signal` fires. */
export async function written(streams: readonly Writable[], signal: AbortSignal): Promise<void> {
  // What a file refused is told before that.
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = streams.filter(({ writableLength }) => writableLength > 0);
  if (waiting.length === 0) return;
  const left = new Promise<void>((resolve) => {
    if (signal.aborted) setTimeout(resolve, stoppedMs);
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(waiting.map(taken)), left]);
}

/** An error is an answer too, and was told to the stream's own listeners. */
function taken(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", resolve);
    stream.write("", () => resolve());
  });
}
