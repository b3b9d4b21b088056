// Replicas as an administrator sees and changes them.

import type { Replica, ReplicaOptions } from "../catalog/replicas.ts";
import type { ErasedVault, EraseProgress, EraseRequest } from "../removal/eraseRemains.ts";
import type { JobProgress, ReplicaStatus, RunReport } from "../replica/job/replicationStatus.ts";
import type { VerifyProgress, VerifyReport } from "../replica/verify/verifyReplica.ts";
import type { JobWatch } from "./job.ts";

/** A replica to be added; `options` has paths that are absolute on the gateway's machine. */
export type NewReplica = {
  readonly name: string;
  readonly url: string;
  readonly options: ReplicaOptions;
  readonly bandwidth: string;
  readonly schedule: string;
  /** Objects on their way at a time, 1 to 64. */
  readonly parallel: number;
  /** Of a peer's certificate: what its token file says must be this. */
  readonly fingerprint?: string;
};

export type ReplicaRunRequest = { readonly name: string; readonly takeOver: boolean };

/** How far one vault is. */
export type ReplicaRunProgress = { readonly vault: string; readonly progress: JobProgress };

export type ReplicaVerifyRequest = {
  readonly name: string;
  /** Share of packs, segments and snapshots that are read again, above 0 to 100. */
  readonly sharePercent: number;
  /** Put good copies from this disk where wrong ones are found. */
  readonly heal: boolean;
};

export type ReplicaRemoveRequest = {
  readonly name: string;
  /** Gives up packs that are nowhere else, instead of fetching them back first. */
  readonly abandon: boolean;
};

export type ReplicaEraseRequest = EraseRequest & { readonly name: string };

export interface ReplicaOperations {
  /**
   * Tries a place, notes it as a replica and begins to replicate where the gateway runs.
   * @throws HoldfastError usage, exists, replica-unreachable, replica-refused, replica-full
   */
  add(request: NewReplica): Promise<Replica>;
  /** All replicas, or one by name. Asks nothing of any replica. @throws HoldfastError not-found */
  status(name?: string): Promise<ReplicaStatus[]>;
  /** Replicates now. A failure of one vault is in its report. @throws HoldfastError not-found, cancelled */
  run(request: ReplicaRunRequest, watch: JobWatch<ReplicaRunProgress>): Promise<{ reports: RunReport[] }>;
  /**
   * Reads a share of a replica again and compares it. The first progress says what it will cost.
   * @throws HoldfastError not-found, usage, rollback-detected, replica-unreachable, replica-refused, cancelled
   */
  verify(request: ReplicaVerifyRequest, watch: JobWatch<VerifyProgress>): Promise<VerifyReport>;
  /**
   * Forgets a replica, after packs that are nowhere else were fetched back. What is there stays there.
   * @throws HoldfastError not-found, disk-full, replica-unreachable, replica-damaged, cancelled
   */
  remove(
    request: ReplicaRemoveRequest,
    watch: JobWatch<{ readonly fetchedPacks: number }>,
  ): Promise<{ fetchedPacks: number }>;
  /**
   * Erases what removed accounts left in a replica, or says what is there.
   * @throws HoldfastError not-found; forbidden for another gateway; replica-unreachable, replica-refused, cancelled: the same goes on
   */
  erase(
    request: ReplicaEraseRequest,
    watch: JobWatch<EraseProgress>,
  ): Promise<{ readonly vaults: readonly ErasedVault[] }>;
}
