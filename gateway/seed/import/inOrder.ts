// Work that runs ahead of its consumer, in order, within a budget of bytes.

export type Ahead = {
  /** Items under way or waiting at most. */
  readonly countMax: number;
  /** Bytes of these at most, or one item. */
  readonly bytesMax: number;
};

/**
 * The outcomes of `work` over items, in their order; several run at a time. A consumer that stops early, or a failure, waits for what runs.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  bytesOf: (item: Item) => number,
  work: (item: Item) => Promise<Result>,
  { countMax, bytesMax }: Ahead,
): AsyncGenerator<Result, void, undefined> {
  const running: { readonly result: Promise<Result>; readonly bytes: number }[] = [];
  let bytes = 0;
  const take = async (): Promise<Result> => {
    const first = running.shift()!;
    try {
      return await first.result;
    } finally {
      bytes -= first.bytes;
    }
  };
  try {
    for await (const item of items) {
      const next = bytesOf(item);
      while (running.length > 0 && (running.length >= countMax || bytes + next > bytesMax))
        yield await take();
      const result = work(item);
      // Looked at when its turn comes.
      result.catch(() => {});
      running.push({ result, bytes: next });
      bytes += next;
    }
    while (running.length > 0) yield await take();
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}
