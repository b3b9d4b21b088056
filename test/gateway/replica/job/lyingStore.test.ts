// A store that says "stored" and keeps nothing, or other bytes, and proves nothing: no root names such an object, and no receipt speaks of it.

import { afterEach, beforeEach, expect, test } from "vitest";
import { sourceOf } from "../../../../gateway/replica/chain/namedObjects.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;
beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(() => site.remove());

/** Does what `store` does, but for objects of one kind: those it acknowledges without a proof, and drops or keeps another byte of. */
function lying(store: ReplicaStore, about: string, keeps: boolean): ReplicaStore {
  const put = async (
    key: string,
    source: Parameters<ReplicaStore["putIfAbsent"]>[1],
  ): Promise<{ readonly outcome: "created"; readonly proof: "unproven" }> => {
    const bytes = Buffer.from(await source.read(0, source.bytes));
    bytes[0]! ^= 1;
    if (keeps) await store.heal(key, sourceOf(bytes));
    return { outcome: "created", proof: "unproven" };
  };
  return {
    ...watchedStore(store, () => undefined),
    putIfAbsent: (key, source, options) =>
      key.includes(about) ? put(key, source) : store.putIfAbsent(key, source, options),
    heal: async (key, source, options) =>
      key.includes(about) ? (await put(key, source)).proof : store.heal(key, source, options),
  };
}

for (const about of [
  "/packs/",
  "/index/",
  "/snapshots/",
  "/vault",
  "/keys/",
  "/catalog/",
  "/manifest/",
  "/root/",
]) {
  for (const keeps of [false, true]) {
    test(`about ${about}, and ${keeps ? "keeps other bytes" : "keeps nothing"}`, async () => {
      const { id } = await site.backUp(3);
      const replica = await site.addReplica("usb");
      await site.through((store) => lying(store, about, keeps));
      expect(await site.run(replica)).toMatchObject({ outcome: "failed", snapshots: 0 });
      expect(await site.receipt(replica, id)).toBeUndefined();
    });
  }
}
