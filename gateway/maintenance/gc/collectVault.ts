// Garbage collection of one vault, from the trash to repack (docs/concurrency.md, "Garbage collection").

import { requireFeatures } from "../../../vault/vaultDocument.ts";
import type { PackRow } from "../../index/packTable.ts";
import { jobReplicas } from "../../replica/job/jobState.ts";
import { type Collection, type GcPlan, requireFree } from "./collection.ts";
import { Cycle } from "./cycle.ts";
import { leave, leavingNow } from "./leaving.ts";
import type { PackCensus } from "./packCensus.ts";
import { packsToRepack, type RepackBudget, type Repacked, repack } from "./repack.ts";
import { type Removed, removePacks, settledPacks, sweep } from "./sweep.ts";

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
      const plan = planOf(collection, cycle, left.length);
      onPlan(plan);
      const told = { plan, refs: cycle.refs };
      if (dryRun) return { ...told, records: 0, removed: nothingRemoved, repacked: nothingRepacked };
      await cycle.putInForce();
      const settled = settledPacks(collection);
      const { census, removed } = await sweep(collection);
      return {
        ...{ ...told, records: swept + removed },
        removed: await removePacks(
          collection,
          settled.filter((pack) => census.isDead(pack)),
        ),
        repacked: await repackAndClose(collection, census, budget),
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
  budget: RepackBudget,
): Promise<Repacked> {
  const { store } = collection.vault;
  const repacked = await repack(collection, census, budget);
  if (repacked.packs > 0 && jobReplicas(store.environment).length > 0) await store.closeOpenPacks();
  return repacked;
}

function planOf(collection: Collection, { census, rows }: Cycle, snapshots: number): GcPlan {
  const settled = settledPacks(collection);
  const dead = settled.filter((pack) => census.isDead(pack));
  const anew = packsToRepack(collection, census);
  const chosen = new Set([...dead, ...anew].map(({ ordinal }) => ordinal));
  const copied = anew.reduce((bytes, pack) => bytes + census.liveBytes(pack), 0);
  const away = settled.filter((pack) => pack.state === "evicted" && !chosen.has(pack.ordinal));
  return {
    snapshots,
    liveRecords: rows.live,
    deadRecords: rows.dead,
    deadPacks: dead.length,
    deadPackBytes: bytesOf(dead),
    repackPacks: anew.length,
    repackCopyBytes: copied,
    repackFreeBytes: bytesOf(anew) - copied,
    evictedDeadBytes: deadBytes(away, census),
  };
}

function bytesOf(packs: readonly PackRow[]): number {
  return packs.reduce((sum, { bytes }) => sum + bytes, 0);
}

function deadBytes(packs: readonly PackRow[], census: PackCensus): number {
  return packs.reduce((sum, pack) => sum + pack.bytes - census.liveBytes(pack), 0);
}
