// Replication in the background: what starts it, what it waits for, and that it leaves a replica alone that has everything.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;

afterEach(async () => {
  await site.remove();
});

/** Waits until a snapshot has its receipt. */
async function offsite(replica: Replica, snapshot: string): Promise<void> {
  while ((await site.receipt(replica, snapshot)) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until what runs has ended. */
async function still(replica: Replica): Promise<void> {
  while ((await site.status(replica)).state === "running")
    await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});

test("a committed snapshot starts its own replication; with nothing new, nothing is asked of the replica", async () => {
  const replica = await site.addReplica("usb");
  let requests = 0;
  let opened = 0;
  const replication = await site.through((store) => {
    opened++;
    return watchedStore(store, () => void requests++);
  });
  replication.start();
  const first = await site.backUp(5);
  await offsite(replica, first.id);
  const second = await site.backUp(5);
  await offsite(replica, second.id);
  await still(replica);
  expect(opened).toBe(1);
  const before = requests;
  // What else happens in a day: people look, others are told of changes.
  for (let i = 0; i < 20; i++) {
    site.fixture.gateway.changes.tell(site.device.account.id);
    await replication.status();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(requests).toBe(before);
  expect(site.check(replica)!.snapshots).toEqual([first.id, second.id]);
});

test("snapshots that come while a run is under way are taken by the one that follows it", async () => {
  const replica = await site.addReplica("usb");
  const replication = await site.through((store) => store);
  replication.start();
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push((await site.backUp(2)).id);
  for (const id of ids) await offsite(replica, id);
  expect(site.check(replica)!.snapshots).toEqual(ids);
});

test("who asks for a run while an older one is under way gets his snapshot there too", async () => {
  const replica = await site.addReplica("usb");
  const first = await site.backUp(5);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = false;
  await site.through((store) =>
    watchedStore(store, ({ name }) => {
      if (name !== "put") return;
      begun = true;
      return held;
    }),
  );
  const older = site.run(replica);
  while (!begun) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await site.backUp(5);
  const newer = site.run(replica);
  release();
  expect(await older).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(await newer).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(site.check(replica)!.snapshots).toEqual([first.id, second.id]);
});

test("a replica that is away is tried again with pauses, and caught up with when it is back", async () => {
  const replica = await site.addReplica("usb");
  let away = true;
  let tries = 0;
  const replication = await site.through((store) =>
    watchedStore(store, () => {
      tries++;
      if (away) throw new HoldfastError(ErrorCode.replicaUnreachable, "no route");
    }),
  );
  replication.start();
  const { id } = await site.backUp(5);
  while (tries < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  await still(replica);
  const status = await site.status(replica);
  expect(status).toMatchObject({
    state: "waiting",
    failure: { code: "replica-unreachable" },
    pendingSnapshots: 1,
  });
  expect(status.nextTry).not.toBeNull();
  away = false;
  await offsite(replica, id);
  await still(replica);
  expect(await site.status(replica)).toMatchObject({ state: "idle", failure: null, nextTry: null });
});

test("a refusal waits for replica run, also after a restart; a new snapshot does not try it", async () => {
  const replica = await site.addReplica("usb");
  let refused = true;
  let tries = 0;
  const around = (): Promise<unknown> =>
    site
      .through((store) =>
        watchedStore(store, () => {
          tries++;
          if (refused) throw new HoldfastError(ErrorCode.replicaRefused, "wrong credentials");
        }),
      )
      .then((replication) => replication.start());
  await around();
  const first = await site.backUp(1);
  while ((await site.status(replica)).state !== "stopped")
    await new Promise((resolve) => setTimeout(resolve, 5));
  const before = tries;
  const second = await site.backUp(1);
  await around();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(tries).toBe(before);
  expect(await site.status(replica)).toMatchObject({
    state: "stopped",
    failure: { code: "replica-refused" },
  });
  refused = false;
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 2 });
  expect(site.check(replica)!.snapshots).toEqual([first.id, second.id]);
  const third = await site.backUp(1);
  await offsite(replica, third.id);
});

test("what was pending when the gateway stopped is gone on with when it starts", async () => {
  const replica = await site.addReplica("usb");
  const { id } = await site.backUp(5);
  const replication = await site.through((store) => store);
  replication.start();
  await offsite(replica, id);
});

test("closing stops a run at once, and starts no other", async () => {
  const replica = await site.addReplica("usb");
  let waiting = 0;
  const replication = await site.through((store) =>
    watchedStore(store, async ({ key }) => {
      if (!key.includes("/packs/")) return;
      waiting++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }),
  );
  replication.start();
  await site.backUp(200);
  while (waiting < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  await replication.close();
  const after = waiting;
  await site.backUp(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(waiting).toBe(after);
  expect(site.check(replica)?.snapshots ?? []).toEqual([]);
});

test("by the time of the day: only then, or besides snapshots", async () => {
  await site.remove();
  // Local time, a moment before two o'clock, and going on from there.
  const start = new Date(2026, 10, 23, 1, 59, 59, 500).getTime() - performance.now();
  site = await ReplicatedGateway.create({ now: () => new Date(start + performance.now()) });
  const replica = await site.addReplica("usb", { schedule: "only 02:00" });
  const replication = await site.through((store) => store);
  const { id } = await site.backUp(1);
  const early = site.fixture.gateway.now().getHours() < 2;
  replication.start();
  if (early) await offsite(replica, id);
  // A slow machine has missed it: tomorrow, then.
  const second = await site.backUp(1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await site.receipt(replica, second.id)).toBeUndefined();
  expect(await site.run(replica)).toMatchObject({ outcome: "done" });
  expect(await site.receipt(replica, second.id)).toBeDefined();
});

test("every byte of packs waits for the replica's bandwidth, and no more than so many uploads are under way", async () => {
  await site.backUp(100);
  const replica = await site.addReplica("usb", { bandwidth: "100MiB/s", parallel: 3 });
  let asked = 0;
  let now = 0;
  let most = 0;
  await site.through((store) => ({
    ...watchedStore(store, () => undefined),
    putIfAbsent: async (key, source, options = {}) => {
      if (!key.includes("/packs/")) return store.putIfAbsent(key, source, options);
      most = Math.max(most, ++now);
      const throttle = (bytes: number): Promise<void> => {
        asked += bytes;
        return options.throttle?.(bytes) ?? Promise.reject(new Error("no throttle"));
      };
      const answer = await store.putIfAbsent(key, source, { ...options, throttle });
      now--;
      return answer;
    },
  }));
  expect((await site.run(replica)).outcome).toBe("done");
  expect(asked).toBe(site.check(replica)!.root.packBytes);
  expect(most).toBe(3);
});
