// A replica that takes requests and never answers: a read ends, with an error that says so.

import { afterEach, beforeEach, expect, test } from "vitest";
import { PackCopies } from "../../../gateway/cache/packCopies.ts";
import { ReplicaStores } from "../../../gateway/cache/replicaStores.ts";
import type { ReplicaStore } from "../../../gateway/replica/replicaStore.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { EvictFixture } from "./evictFixture.ts";

const hanging = "3d".repeat(16);
let here: EvictFixture;

beforeEach(async () => {
  here = await EvictFixture.create();
});
afterEach(() => here.remove());

/** Ends when it is told to, as stores do. */
const silent = {
  getRange: (_key, _offset, _length, signal) =>
    new Promise((_resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
    }),
  close: async () => undefined,
} as Pick<ReplicaStore, "getRange" | "close"> as ReplicaStore;

function copiesOf(events: string[], patienceMs?: number): PackCopies {
  const [row] = here.gateway.gateway.catalog.replicas.list();
  const report = (event: string): void => void events.push(event);
  const stores = new ReplicaStores({
    replica: (id) => ({ ...row!, id }),
    open: async () => silent,
    monotonicMs: () => performance.now(),
    report,
  });
  const { packs } = here.vault.store;
  const { places } = here.elsewhere;
  return new PackCopies({
    ...{ vault: here.vault.id, packs, places, stores, report },
    now: () => new Date(),
    ...(patienceMs !== undefined && { patienceMs }),
  });
}

test("a range of a replica that never answers fails as unreachable", async () => {
  const events: string[] = [];
  const copies = copiesOf(events, 50);
  await expect(copies.read(here.packs()[0]!, hanging, 0, 10)).rejects.toMatchObject({
    code: ErrorCode.replicaUnreachable,
  });
  expect(events).toEqual(["replica-away"]);
});

test("whoever stops the read gets their own reason, and the replica is not blamed", async () => {
  const events: string[] = [];
  const copies = copiesOf(events);
  const stop = new AbortController();
  const read = copies.read(here.packs()[0]!, hanging, 0, 10, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(read).rejects.toThrow("stopped");
  expect(events).toEqual([]);
});
