// What one run of garbage collection on one vault shares and tells.

import type { OpenVault } from "../../openVault.ts";
import type { Pace } from "./pace.ts";

/** In their order. `done` and `total` are of the phase alone, in a unit of its own; total 0: not known. */
export const gcPhases = ["leaving", "marking", "counting", "sweeping", "removing", "repacking"] as const;
export type GcPhase = (typeof gcPhases)[number];

export type GcProgress = {
  readonly account: string;
  readonly vault: string;
  readonly phase: GcPhase;
  readonly done: number;
  readonly total: number;
  /** There from the end of the phase `counting` on: what is about to be freed. */
  readonly plan: GcPlan | null;
};

/** What a cycle found. Bytes are of packs on the disk or in replicas, with frames. */
export type GcPlan = {
  /** Snapshots that leave the trash for good. */
  readonly snapshots: number;
  readonly liveRecords: number;
  readonly deadRecords: number;
  /** Packs in which nothing lives. */
  readonly deadPacks: number;
  readonly deadPackBytes: number;
  /** Packs that are to be written anew, as far as the budget goes: what that copies, and what it frees. */
  readonly repackPacks: number;
  readonly repackCopyBytes: number;
  readonly repackFreeBytes: number;
  /** Small packs that are to be written together, as far as the budget goes, and what that copies. */
  readonly mergePacks: number;
  readonly mergeCopyBytes: number;
  /** Dead bytes in packs that live in replicas alone and are not written anew. */
  readonly evictedDeadBytes: number;
};

/** Why nothing of a vault goes. */
export type GcHeld = "box-open" | "held" | "damaged";

export type Collection = {
  readonly vault: OpenVault;
  /** The gateway's number of a device (32 hex digits). */
  readonly writerOrdinal: (device: string) => number;
  readonly nowMs: number;
  readonly dryRun: boolean;
  /** Packs that are in replicas alone may be fetched to be written anew. */
  readonly evicted: boolean;
  readonly pace: Pace;
  /** Resolves after so many milliseconds, when the run is stopped, or at the signal. */
  readonly sleep: (ms: number, end?: AbortSignal) => Promise<void>;
  readonly tell: (phase: GcPhase, done: number, total: number) => void;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** Nothing may go, and nothing went: why. */
export class Held extends Error {
  readonly why: GcHeld;

  constructor(why: GcHeld, message: string) {
    super(message);
    this.why = why;
  }
}

/** Buckets of the index in one slice of work that only looks. */
export const bucketsAtOnce = 64;
/** Rows of a bucket on average: for progress. */
export const rowsOfBucket = 70;

/** @throws Held where something may rely on what is here without a lease */
export function requireFree({ store, holds }: OpenVault): void {
  if (store.promises.any) throw new Held("box-open", "a box is on its way");
  if (holds.holder !== undefined) throw new Held("held", `${holds.holder} is under way`);
}
