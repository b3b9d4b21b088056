// What is done to a data directory only while no gateway runs on it.

import type { Gateway } from "../gateway.ts";
import { packsShown } from "../jobs/shownProgress.ts";
import {
  type RebuildRequest,
  type RebuildResult,
  rebuildGateway,
} from "../maintenance/rebuild/rebuildGateway.ts";
import type { RebuildProgress } from "../maintenance/rebuild/rebuildVault.ts";
import { type RepairRequest, type RepairResult, repairGateway } from "../maintenance/repair/repairGateway.ts";
import type { RepairedVault, RepairProgress } from "../maintenance/repair/repairVault.ts";
import type { HurtFile, LackingSnapshot } from "../maintenance/vaultContent.ts";
import type { JobWatch } from "./job.ts";

export class OfflineUpkeep {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Makes the indexes of vaults anew from their packs. @throws HoldfastError not-found, disk-full, io-error, cancelled */
  rebuildIndex(request: RebuildRequest, watch: JobWatch<RebuildProgress>): Promise<RebuildResult> {
    return this.#gateway.jobs.run(
      { kind: "rebuild-index", subject: "" },
      { ...watch, shown: packsShown("rebuilding") },
      (watch) => rebuildGateway(this.#gateway, request, watch),
      ({ vaults }) => {
        const hurt = vaults.reduce((sum, vault) => sum + vault.hurt.length, 0);
        return { figures: { vaults: vaults.length, hurt }, warnings: hurt > 0 };
      },
    );
  }

  /** Files of snapshots that are hurt; undefined where the vault is locked. See VaultContent. */
  async hurtFiles(
    vault: string,
    snapshots: readonly LackingSnapshot[],
    signal: AbortSignal,
  ): Promise<readonly HurtFile[] | undefined> {
    return await this.#gateway.content?.hurtFiles(vault, snapshots, signal);
  }

  /** Brings back everything that is still whole. @throws HoldfastError not-found, disk-full, io-error, unsupported, cancelled */
  repair(request: RepairRequest, watch: JobWatch<RepairProgress>): Promise<RepairResult> {
    return this.#gateway.jobs.run(
      { kind: "repair", subject: "" },
      { ...watch, shown: packsShown("repairing") },
      (watch) => repairGateway(this.#gateway, request, watch),
      ({ vaults }) => {
        const count = (of: (vault: RepairedVault) => number): number =>
          vaults.reduce((sum, vault) => sum + of(vault), 0);
        const hurt = count((vault) => vault.hurt.length);
        const figures = { vaults: vaults.length, found: count(({ found }) => found.length), hurt };
        return { figures, warnings: hurt > 0 };
      },
    );
  }
}
