// Garbage collection as an administrator asks for it.

import type { GcHeld, GcPlan, GcProgress } from "../maintenance/gc/collection.ts";
import type { JobWatch } from "./job.ts";

export type GcRequest = {
  /** Only this account's vaults. */
  readonly account?: string;
  /** Only say what would go. */
  readonly dryRun: boolean;
  /** Write packs anew that are in replicas alone: they are fetched for it. */
  readonly evicted: boolean;
  /** Bytes that may be copied to write packs anew; null: any number. */
  readonly budgetBytes: number | null;
  /** Seconds after which no other pack is written anew; null: as long as it takes. */
  readonly forSeconds: number | null;
};

export type GcVault = {
  readonly account: string;
  readonly vault: string;
  /** What was found: that goes, or would go. */
  readonly plan: GcPlan;
  readonly refs: number;
  /** What went, as it was found before. All of it 0 in a dry run. */
  readonly records: number;
  readonly removedPacks: number;
  readonly repackedPacks: number;
  /** Small packs that were written together with others. */
  readonly mergedPacks: number;
  readonly copiedBytes: number;
  /** Bytes of packs that went, less what was copied of them. */
  readonly freedBytes: number;
  /** Packs that could not be copied whole: damaged. */
  readonly damagedPacks: number;
  /** Packs that the budget left for another run. */
  readonly leftPacks: number;
  /** Packs that a replica has and does not list yet: they go behind its next run. */
  readonly waitingPacks: number;
};

export type GcResult = {
  readonly dryRun: boolean;
  readonly vaults: readonly GcVault[];
  /** Vaults in which nothing may go now. */
  readonly held: readonly {
    readonly account: string;
    readonly vault: string;
    readonly why: GcHeld;
    readonly message: string;
  }[];
};

export interface GcOperations {
  /**
   * Frees what no snapshot and no backup that is under way needs, in all vaults, one after the other. One that fails does not keep the others.
   * @throws HoldfastError not-found (account); unsupported for a vault of a newer format; cancelled (what was done counts, the next run goes on), busy, forbidden at a box, disk-full, io-error
   */
  gc(request: GcRequest, watch: JobWatch<GcProgress>): Promise<GcResult>;
  /** Asks the collection that runs to stop, whoever began it; it goes on with the next. Answers whether one ran. */
  stopGc(): Promise<boolean>;
}
