// Garbage collection of one vault, from the trash to repack (docs/concurrency.md, "Garbage collection").

import { requireFeatures } from "../../../vault/vaultDocument.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import type { PackRow } from "../../index/packTable.ts";
import { jobReplicas } from "../../replica/job/jobState.ts";
import { type Collection, type GcPlan, requireFree } from "./collection.ts";
import { Cycle } from "./cycle.ts";
import { leave, leavingNow } from "./leaving.ts";
import type { PackCensus } from "./packCensus.ts";
import { isWorthRepack, type RepackBudget, type Repacked, repack } from "./repack.ts";
import { eachSettled, type Removed, removePacks, sweep } from "./sweep.ts";

export type VaultCollected = {
  readonly plan: GcPlan;
  /** References that the mark looked at. */
  readonly refs: number;
  /** Rows that went. */
  readonly records: number;
  /** Packs in which nothing lived. */
  readonly removed: Removed;
  readonly repacked: Repacked;
};

const nothingRemoved: Removed = { packs: 0, bytes: 0, waiting: 0 };
const nothingRepacked: Repacked = {
  ...{ packs: 0, copiedBytes: 0, removedBytes: 0, damaged: 0, left: 0, waiting: 0 },
};

/**
 * Collects one vault. `onPlan` is told what will be freed before anything but the trash has changed.
 * @throws Held where nothing may go; HoldfastError unsupported for a vault of a newer format; busy, disk-full, io-error; the signal's reason: the next run goes on
 */
export async function collectVault(
  collection: Collection,
  budget: RepackBudget,
  onPlan: (plan: GcPlan) => void,
): Promise<VaultCollected> {
  const { vault, dryRun, tell } = collection;
  requireFeatures(vault.document, "gc");
  requireFree(vault);
  const end = vault.holds.collect();
  try {
    let swept = 0;
    // What a run before has put in force, and did not come to the end of.
    if (!dryRun && vault.store.index.dead !== undefined) swept += (await sweep(collection)).removed;
    tell("leaving", 0, 0);
    const left = dryRun ? leavingNow(collection) : await leave(collection);
    const cycle = await Cycle.open(collection);
    try {
      await cycle.mark(left);
      await cycle.count();
      const plan = await planOf(collection, cycle, left.length);
      onPlan(plan);
      const told = { plan, refs: cycle.refs };
      if (dryRun) return { ...told, records: 0, removed: nothingRemoved, repacked: nothingRepacked };
      await cycle.putInForce();
      const settled = new OrdinalSet();
      await eachSettled(collection, ({ ordinal }) => void settled.add(ordinal));
      const { census, removed } = await sweep(collection);
      const dead: PackRow[] = [];
      const anew: PackRow[] = [];
      await eachSettled(collection, (pack) => {
        // The sweep's count says nothing of what was closed since.
        if (!settled.has(pack.ordinal)) return;
        if (census.isDead(pack)) dead.push(pack);
        else if (isWorthRepack(collection, census, pack)) anew.push(pack);
      });
      return {
        ...{ ...told, records: swept + removed },
        removed: await removePacks(collection, dead),
        repacked: await repackAndClose(collection, census, anew, budget),
      };
    } finally {
      cycle.close();
    }
  } finally {
    end();
  }
}

/** Replicas doom the old packs when they have the copies, which only closed packs can be. */
async function repackAndClose(
  collection: Collection,
  census: PackCensus,
  packs: readonly PackRow[],
  budget: RepackBudget,
): Promise<Repacked> {
  const { store } = collection.vault;
  const repacked = await repack(collection, census, packs, budget);
  if (repacked.packs > 0 && jobReplicas(store.environment).length > 0) await store.closeOpenPacks();
  return repacked;
}

async function planOf(collection: Collection, { census, rows }: Cycle, snapshots: number): Promise<GcPlan> {
  const packs = { dead: 0, deadBytes: 0, anew: 0, copyBytes: 0, freeBytes: 0, awayBytes: 0 };
  await eachSettled(collection, (pack) => {
    const live = census.liveBytes(pack);
    if (census.isDead(pack)) {
      packs.dead++;
      packs.deadBytes += pack.bytes;
    } else if (isWorthRepack(collection, census, pack)) {
      packs.anew++;
      packs.copyBytes += live;
      packs.freeBytes += pack.bytes - live;
    } else if (pack.state === "evicted") packs.awayBytes += pack.bytes - live;
  });
  return {
    snapshots,
    liveRecords: rows.live,
    deadRecords: rows.dead,
    deadPacks: packs.dead,
    deadPackBytes: packs.deadBytes,
    repackPacks: packs.anew,
    repackCopyBytes: packs.copyBytes,
    repackFreeBytes: packs.freeBytes,
    evictedDeadBytes: packs.awayBytes,
  };
}
