// A long body: pieces that begin with what was made before the headers, so that a failure at the start can still have its own status.

import type { Slots } from "./slots.ts";

export type Streaming = {
  readonly first: Buffer;
  /** Makes the rest; not called before the first piece was taken. */
  readonly rest: () => AsyncIterable<Buffer>;
  readonly slots: Slots;
  readonly owner: string;
  readonly signal: AbortSignal;
};

/** The first piece, then the rest while it holds a slot. */
export async function* streamed(streaming: Streaming): AsyncGenerator<Buffer, void, void> {
  const { first, rest, slots, owner, signal } = streaming;
  const giveBack = await slots.take(owner, signal);
  try {
    yield first;
    yield* rest();
  } finally {
    giveBack();
  }
}
