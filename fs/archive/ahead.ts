// Work on the items of a sequence that is begun before its turn and handed out in order.
//
// Invariants: results come in the order of the items; the weight of items that were begun and not taken is below `weightMax`
// before another is begun, and their number at most `itemsMax`; when the consumer leaves or anything fails, nothing more is begun.

export type AheadOptions<Item, Result> = {
  /** Begins the work on an item. `signal` fires when nobody wants the result any more. */
  readonly begin: (item: Item, signal: AbortSignal) => Promise<Result>;
  /** What an item counts against `weightMax`. */
  readonly weigh: (item: Item) => number;
  readonly weightMax: number;
  readonly itemsMax: number;
  readonly signal?: AbortSignal | undefined;
};

export type Done<Item, Result> = { readonly item: Item; readonly result: Result };

/** Takes items from `source` and yields each with its result. Failures of `source` and `begin` come at their place in the order. */
export async function* inOrderAhead<Item, Result>(
  source: AsyncGenerator<Item, void, void>,
  options: AheadOptions<Item, Result>,
): AsyncGenerator<Done<Item, Result>, void, void> {
  const leaving = new AbortController();
  const signal =
    options.signal === undefined ? leaving.signal : AbortSignal.any([options.signal, leaving.signal]);
  const queue: { readonly item: Item; readonly weight: number; readonly result: Promise<Result> }[] = [];
  let weight = 0;
  let ended = false;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };

  const filling = (async () => {
    try {
      for await (const item of source) {
        const own = options.weigh(item);
        while (queue.length > 0 && (weight >= options.weightMax || queue.length >= options.itemsMax)) {
          if (signal.aborted) return;
          await changed.promise;
        }
        if (signal.aborted) return;
        const result = options.begin(item, signal);
        result.catch(() => undefined); // shows at its turn
        queue.push({ item, weight: own, result });
        weight += own;
        wake();
      }
    } finally {
      ended = true;
      wake();
    }
  })();
  filling.catch(() => undefined); // shows when the queue is empty
  signal.addEventListener("abort", wake);
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      const first = queue[0];
      if (first === undefined) {
        if (ended) break;
        await changed.promise;
        continue;
      }
      const result = await first.result;
      queue.shift();
      weight -= first.weight;
      wake();
      yield { item: first.item, result };
    }
    await filling;
  } finally {
    leaving.abort();
    signal.removeEventListener("abort", wake);
    await filling.catch(() => undefined);
  }
}
