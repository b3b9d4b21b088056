// Evicting packs as an administrator asks for it.

import type { StayReason } from "../cache/evictPack.ts";
import type { JobWatch } from "./job.ts";

export type EvictRequest = {
  /** Bytes of content packs that stay on the gateway's disk, of all vaults together. */
  readonly keepBytes: number;
  /** Only say what would go. */
  readonly dryRun: boolean;
};

export type EvictProgress = {
  readonly packsDone: number;
  readonly packsTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

export type EvictResult = {
  readonly dryRun: boolean;
  readonly evictedPacks: number;
  readonly evictedBytes: number;
  /** Of these, what had to be proven first: read back from the replica, or hashed there. */
  readonly provenBytes: number;
  /** Content packs that are local afterwards, of those that are closed. */
  readonly localPacks: number;
  readonly localBytes: number;
  /** Packs that should have gone and could not. */
  readonly stayed: readonly { readonly why: StayReason; readonly packs: number; readonly bytes: number }[];
};

export interface EvictOperations {
  /**
   * Evicts the content packs that were used longest ago, until no more than `keepBytes` are local.
   * @throws HoldfastError cancelled (what went is gone), disk-full, io-error
   */
  evict(request: EvictRequest, watch: JobWatch<EvictProgress>): Promise<EvictResult>;
}
