// A real store, with something done before each request.

import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";

export type WatchedRequest = {
  readonly name: "put" | "heal" | "get" | "head" | "list" | "delete";
  readonly key: string;
};

/** `before` may wait or throw; `after` too, when the request is done: its answer is lost then. */
export function watchedStore(
  store: ReplicaStore,
  before: (request: WatchedRequest) => Promise<void> | void,
  after: (request: WatchedRequest) => Promise<void> | void = () => undefined,
): ReplicaStore {
  const around = async <T>(request: WatchedRequest, run: () => Promise<T>): Promise<T> => {
    await before(request);
    const answer = await run();
    await after(request);
    return answer;
  };
  return {
    kind: store.kind,
    url: store.url,
    conditionalPuts: store.conditionalPuts,
    putIfAbsent: (key, source, options) =>
      around({ name: "put", key }, () => store.putIfAbsent(key, source, options)),
    heal: (key, source, options) => around({ name: "heal", key }, () => store.heal(key, source, options)),
    getRange: (key, offset, length, signal) =>
      around({ name: "get", key }, () => store.getRange(key, offset, length, signal)),
    head: (key, signal) => around({ name: "head", key }, () => store.head(key, signal)),
    async *list(prefix, signal) {
      await before({ name: "list", key: prefix });
      yield* store.list(prefix, signal);
    },
    delete: (key) => around({ name: "delete", key }, () => store.delete(key)),
    usage: () => store.usage(),
    close: () => store.close(),
  };
}
