// Looking for damage as an administrator asks for it, beside everything else that a gateway does.

import type { CheckProgress, VaultCheck } from "../maintenance/check/checkTypes.ts";
import type { HurtFile } from "../maintenance/vaultContent.ts";
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

export interface UpkeepOperations {
  /**
   * Holds packs, index and what snapshots reach against one another. Damage is in the result.
   * @throws HoldfastError not-found, usage (the limit), io-error, cancelled
   */
  check(request: CheckRequest, watch: JobWatch<CheckProgress>): Promise<CheckResult>;
}
