// What a command printed reaches its reader before the process ends. Node writes to a pipe as it has room (64 KiB), and drops what waits when
// the process exits: a list of some hundred snapshots would end in the middle, with status 0.

import type { Writable } from "node:stream";

/** Resolves when all that was written is taken, or nobody reads any more; or when `signal` fires, for a reader that is there and never reads. */
export async function written(streams: readonly Writable[], signal: AbortSignal): Promise<void> {
  const waiting = streams.filter(({ writableLength }) => writableLength > 0);
  if (waiting.length === 0) return;
  const stopped = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  // An error is one too, and was told to the stream's own listeners.
  const taken = waiting.map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve())));
  await Promise.race([Promise.all(taken), stopped]);
}
