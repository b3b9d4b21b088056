// Garbage collection of one vault, from the trash to repack (docs/concurrency.md, "Garbage collection").

import { requireFeatures } from "../../../vault/vaultDocument.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import type { PackRow } from "../../index/packTable.ts";
import { jobReplicas } from "../../replica/job/jobState.ts";
import { type Collection, type GcPlan, requireFree } from "./collection.ts";
import { Cycle } from "./cycle.ts";
import { leave, leavingNow } from "./leaving.ts";
import type { PackCensus } from "./packCensus.ts";
import { choosePacks, type PackChoice } from "./packChoice.ts";
import { type RepackBudget, type Repacked, repack } from "./repack.ts";
import { eachSettled, type Removed, removePacks, sweep } from "./sweep.ts";

export type VaultCollected = {
  readonly plan: GcPlan;
  /** References that the mark looked at. */
  readonly refs: number;
  /** Rows that went. */
  readonly records: number;
  /** Packs in which nothing lived. */
  readonly removed: Removed;
  /** Packs of which little lived. */
  readonly repacked: Repacked;
  /** Small ones that were written together. */
  readonly merged: Repacked;
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
      if (dryRun) {
        const nothing = { removed: nothingRemoved, repacked: nothingRepacked, merged: nothingRepacked };
        return { ...told, records: 0, ...nothing };
      }
      await cycle.putInForce();
      const settled = new OrdinalSet();
      await eachSettled(collection, ({ ordinal }) => void settled.add(ordinal));
      const { census, removed } = await sweep(collection);
      // The sweep's count says nothing of what was closed since.
      const choice = await choosePacks(collection, census, settled);
      return {
        ...{ ...told, records: swept + removed },
        removed: await removePacks(collection, choice.dead),
        ...(await rewrite(collection, census, choice, budget)),
      };
    } finally {
      cycle.close();
    }
  } finally {
    end();
  }
}

/** Writes anew what little lives of, then merges what is small with what the budget leaves. */
async function rewrite(
  collection: Collection,
  census: PackCensus,
  { anew, merge }: PackChoice,
  budget: RepackBudget,
): Promise<Pick<VaultCollected, "repacked" | "merged">> {
  const { store } = collection.vault;
  const repacked = await repack(collection, census, anew, budget);
  const bytes = budget.bytes - repacked.copiedBytes;
  const small = merge(bytes);
  const merged = await repack(collection, census, small, { ...budget, bytes });
  const left = merged.left + merge(Number.POSITIVE_INFINITY).length - small.length;
  // Replicas doom the old packs when they have the copies, which only closed packs can be.
  const some = repacked.packs + merged.packs > 0;
  if (some && jobReplicas(store.environment).length > 0) await store.closeOpenPacks();
  return { repacked, merged: { ...merged, left } };
}

async function planOf(collection: Collection, { census, rows }: Cycle, snapshots: number): Promise<GcPlan> {
  const { dead, anew, merge, awayBytes } = await choosePacks(collection, census);
  const small = merge(Number.POSITIVE_INFINITY);
  const bytesOf = (packs: readonly PackRow[]): number => packs.reduce((sum, { bytes }) => sum + bytes, 0);
  const liveOf = (packs: readonly PackRow[]): number =>
    packs.reduce((sum, pack) => sum + census.liveBytes(pack), 0);
  return {
    snapshots,
    liveRecords: rows.live,
    deadRecords: rows.dead,
    deadPacks: dead.length,
    deadPackBytes: bytesOf(dead),
    repackPacks: anew.length,
    repackCopyBytes: liveOf(anew),
    repackFreeBytes: bytesOf(anew) - liveOf(anew),
    mergePacks: small.length,
    mergeCopyBytes: liveOf(small),
    evictedDeadBytes: awayBytes,
  };
}
