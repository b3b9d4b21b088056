// Looking for damage as an administrator asks for it, beside everything else that a gateway does.

import type { CheckProgress, VaultCheck } from "../maintenance/check/checkTypes.ts";
import type { DrillRow } from "../maintenance/drillRows.ts";
import type { DrillProgress, DrillWish, HurtFile } from "../maintenance/vaultContent.ts";
import type { JobWatch } from "./job.ts";

export type CheckRequest = {
  /** 32 hex digits; absent: all vaults. */
  readonly vault?: string;
  /** Share (0 to 1) of the local bytes that are compared with their hashes, those that were not for longest first; metadata always is. */
  readonly readShare: number;
  /** Bytes a second at most, as for `ScrubRequest`. */
  readonly limit: string;
};

export type CheckedVault = VaultCheck & {
  /** Files that are hurt, by name; null where the vault is locked. */
  readonly files: readonly HurtFile[] | null;
};

export type CheckResult = { readonly vaults: readonly CheckedVault[] };

export type DrillRequest = DrillWish & {
  /** 32 hex digits; absent: all vaults that are unlocked. */
  readonly vault?: string;
};

export type DrilledVault = {
  readonly vault: string;
  readonly report: DrillRow;
  /** By name: reports that are kept have none. */
  readonly wrong: readonly HurtFile[];
};

export type DrillResult = {
  readonly vaults: readonly DrilledVault[];
  /** Vaults (32 hex digits) that were passed over. */
  readonly locked: readonly string[];
};

export interface UpkeepOperations {
  /** Restores random files in memory. @throws HoldfastError not-found, io-error, replica-unreachable, cancelled */
  drill(request: DrillRequest, watch: JobWatch<DrillProgress>): Promise<DrillResult>;
  /** Reports of drills, the newest first. */
  drills(): Promise<readonly ({ readonly vault: string } & DrillRow)[]>;

  /**
   * Holds packs, index and what snapshots reach against one another. Damage is in the result.
   * @throws HoldfastError not-found, usage (the limit), io-error, cancelled
   */
  check(request: CheckRequest, watch: JobWatch<CheckProgress>): Promise<CheckResult>;
}
