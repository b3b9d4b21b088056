// Bugs that are planted in the gateway while a simulation runs: each takes away one thing that docs/concurrency.md says.

import { PackCopies } from "../../gateway/cache/packCopies.ts";
import { Leases } from "../../gateway/catalog/leases.ts";
import { Needs } from "../../gateway/catalog/needs.ts";
import { Retention } from "../../gateway/catalog/retention.ts";
import { VaultCatalog } from "../../gateway/catalog/vaultCatalog.ts";
import { CopiedPacks } from "../../gateway/index/copiedPacks.ts";
import { PackPlaces } from "../../gateway/index/packPlaces.ts";
import { PackTable } from "../../gateway/index/packTable.ts";
import { Marker } from "../../gateway/maintenance/gc/marker.ts";
import { PackCensus } from "../../gateway/maintenance/gc/packCensus.ts";
import { SnapshotWaits } from "../../gateway/seed/snapshotWaits.ts";
import { OpenPack } from "../../gateway/store/openPack.ts";
import { PackRemoval } from "../../gateway/store/packRemoval.ts";
import { Pins } from "../../gateway/store/pins.ts";
import { ReadsUnderWay } from "../../gateway/store/readsUnderWay.ts";
import { VaultStore } from "../../gateway/store/vaultStore.ts";
import { fromHex } from "../../vault/bytes.ts";
import type { GcClock } from "../gateway/maintenance/gc/gcFixture.ts";

/** Puts something in the place of a method and answers what takes it back. */
function replace<C extends object, K extends keyof C>(
  on: C,
  method: K,
  by: (real: C[K]) => C[K],
): () => void {
  const real = on[method];
  on[method] = by(real);
  return () => {
    on[method] = real;
  };
}

function both(...undo: readonly (() => void)[]): () => void {
  return () => {
    for (const each of undo) each();
  };
}

const nothing = (): void => undefined;

export type Mutation = {
  readonly name: string;
  /** Answers what takes it out again. */
  readonly plant: (clock: GcClock) => () => void;
  /** A seed and a number of steps that find it in most runs. */
  readonly seed: number;
  readonly steps: number;
  /** Found within a second or two: tried in every run of the tests. */
  readonly quick?: true;
};

/** Before anything watches it. */
const sync = OpenPack.prototype.sync;

/** As in a gateway that leaves an fdatasync out: what is simulated of the disk does not hear of it. */
function unsynced(isLeftOut: () => boolean): () => void {
  return replace(
    OpenPack.prototype,
    "sync",
    (watched) =>
      function (this: OpenPack) {
        return (isLeftOut() ? sync : watched).call(this);
      },
  );
}

export const mutations: readonly Mutation[] = [
  {
    name: "what an upload is told to be there is not pinned",
    plant: () => replace(Pins.prototype, "told", () => nothing),
    seed: 1,
    steps: 250,
    quick: true,
  },
  {
    name: "a cycle that is open does not hear what is rested on",
    plant: () => replace(Pins.prototype, "rests", () => nothing),
    seed: 1,
    steps: 250,
  },
  {
    name: "a cycle does not ask which leases are open",
    plant: () => replace(Leases.prototype, "open", () => () => []),
    seed: 1,
    steps: 250,
    quick: true,
  },
  {
    name: "a session that takes over begins anew",
    plant: () =>
      replace(
        Leases.prototype,
        "start",
        (real) =>
          function (this: Leases, item, ordinal) {
            const held = this.holder(fromHex(item.id, 16));
            if (held !== undefined) this.end(held);
            return { ...real.call(this, item, ordinal), resumed: held !== undefined };
          },
      ),
    seed: 1,
    steps: 250,
  },
  {
    name: "what comes while a cycle is open is marked without what is below it",
    plant: () =>
      both(
        replace(Marker.prototype, "settle", () => () => Promise.resolve()),
        replace(Marker.prototype, "settleNow", () => nothing),
      ),
    seed: 15,
    steps: 250,
  },
  {
    name: "records are acknowledged before they are on the disk",
    plant: () => unsynced(() => true),
    seed: 1,
    steps: 250,
    quick: true,
  },
  {
    name: "rows name what repack copied before it is on the disk",
    plant: () => {
      let copying = 0;
      return both(
        unsynced(() => copying > 0),
        replace(
          VaultStore.prototype,
          "appendCopies",
          (real) =>
            function (this: VaultStore, records) {
              copying++;
              return real.call(this, records).finally(() => void copying--);
            },
        ),
      );
    },
    seed: 4,
    steps: 250,
  },
  {
    name: "a pack goes while rows name a little of it",
    plant: () =>
      replace(
        PackCensus.prototype,
        "isDead",
        (real) =>
          function (this: PackCensus, pack) {
            return real.call(this, pack) || this.liveBytes(pack) < 700;
          },
      ),
    seed: 1,
    steps: 250,
  },
  {
    name: "files of packs that left stay",
    plant: () => replace(PackRemoval.prototype, "unlink", () => () => Promise.resolve(0)),
    seed: 1,
    steps: 250,
  },
  {
    name: "a commit does not look for its root",
    plant: () => replace(SnapshotWaits.prototype, "requireRoot", () => nothing),
    seed: 4,
    steps: 250,
  },
  {
    name: "what kept copies of reported records refer to is not marked",
    plant: () => replace(Needs.prototype, "kept", () => () => []),
    seed: 3,
    steps: 250,
  },
  {
    name: "prune takes the newest for the oldest",
    plant: () =>
      replace(
        VaultCatalog.prototype,
        "snapshots",
        (real) =>
          function (this: VaultCatalog) {
            return real.call(this).reverse();
          },
      ),
    seed: 5,
    steps: 250,
  },
  {
    name: "a pack is evicted without a proof that it is elsewhere",
    plant: (clock) => {
      let seen: string | undefined;
      return both(
        replace(
          PackPlaces.prototype,
          "of",
          (real) =>
            function (this: PackPlaces, pack) {
              const places = real.call(this, pack);
              seen ??= places[0]?.replica;
              const place = { listed: true, proof: "hashed", provenMs: clock.nowMs } as const;
              return places.length > 0 || seen === undefined ? places : [{ replica: seen, place }];
            },
        ),
        replace(PackCopies.prototype, "prove", () => () => Promise.resolve()),
        replace(PackCopies.prototype, "answers", () => () => Promise.resolve()),
      );
    },
    seed: 1,
    steps: 250,
  },
  {
    name: "snapshots leave the trash before their time",
    plant: () =>
      replace(
        Retention.prototype,
        "trashRow",
        (real) =>
          function (this: Retention, snapshot) {
            const row = real.call(this, snapshot);
            return row === undefined ? undefined : { ...row, until: row.at };
          },
      ),
    seed: 1,
    steps: 250,
  },
  {
    name: "a replica dooms packs before it lists the copies of what lived in them",
    plant: () => {
      const real = Object.getOwnPropertyDescriptor(CopiedPacks.prototype, "upTo") as PropertyDescriptor;
      Object.defineProperty(CopiedPacks.prototype, "upTo", { ...real, get: () => -1 });
      return () => void Object.defineProperty(CopiedPacks.prototype, "upTo", real);
    },
    seed: 2,
    steps: 250,
  },
  {
    name: "a record that was found wrong still counts as there",
    plant: () =>
      replace(
        VaultStore.prototype,
        "lookupBatch",
        () =>
          function (this: VaultStore, group, ids) {
            return this.readableBatch(group, ids);
          },
      ),
    seed: 1,
    steps: 250,
    quick: true,
  },
  {
    name: "a session that has ended may commit",
    plant: () =>
      both(
        replace(
          Leases.prototype,
          "session",
          (real) =>
            function (this: Leases, id) {
              const state = real.call(this, id);
              return state === undefined ? undefined : { ...state, ended: undefined };
            },
        ),
        replace(
          VaultCatalog.prototype,
          "commit",
          (real) =>
            function (this: VaultCatalog, session, snapshot, previous) {
              const holder = this.leases.holder(fromHex(snapshot.item, 16));
              real.call(this, holder ?? session, snapshot, previous);
            },
        ),
      ),
    seed: 1,
    steps: 250,
  },
  {
    name: "a pack's mark is ahead of its rows",
    plant: () =>
      replace(
        PackTable.prototype,
        "cover",
        (real) =>
          function (this: PackTable, pack, bytes) {
            real.call(this, pack, bytes + 1500);
          },
      ),
    seed: 1,
    steps: 250,
    quick: true,
  },
  {
    name: "packs go while reads that know their places are under way",
    plant: () => replace(ReadsUnderWay.prototype, "quiet", () => () => Promise.resolve()),
    seed: 3,
    steps: 250,
  },
];
