// Repairs the vaults of a gateway, one after the other, while no gateway runs on the directory.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { Gateway } from "../../gateway.ts";
import { vaultsAsked, vaultToRebuild } from "../rebuild/rebuildGateway.ts";
import { damageOver } from "../tellDamage.ts";
import { type RepairedVault, type RepairProgress, repairVault } from "./repairVault.ts";
import { ReplicaCopies } from "./replicaCopies.ts";

export type RepairRequest = {
  /** 32 hex digits; undefined: all vaults. */
  readonly vault: string | undefined;
  /** Look and tell, change nothing. */
  readonly dryRun: boolean;
};

export type RepairResult = { readonly vaults: readonly RepairedVault[] };

/** @throws HoldfastError not-found, disk-full, io-error, unsupported, cancelled */
export async function repairGateway(
  gateway: Gateway,
  { vault, dryRun }: RepairRequest,
  { onProgress, signal }: JobWatch<RepairProgress>,
): Promise<RepairResult> {
  const vaults: RepairedVault[] = [];
  const { catalog, dataDir } = gateway;
  const reserveBytes = dataDir.settings.reserveMiB * 2 ** 20;
  for (const row of vaultsAsked(gateway, vault)) {
    await gateway.closeVault(row.id);
    const replicas = await ReplicaCopies.open(row, catalog.replicas.list(), gateway, signal);
    try {
      const own = vaultToRebuild(gateway, row);
      const repaired = await repairVault({ ...own, row, replicas, reserveBytes, dryRun, signal, onProgress });
      // What was found damaged is aside, or healed.
      if (!dryRun) damageOver(gateway, row.id);
      if (!dryRun) gateway.logger.warn({ ...repaired, hurt: repaired.hurt.length }, "vault-repaired");
      vaults.push(repaired);
    } catch (error) {
      throw signal.aborted ? stopped() : error;
    } finally {
      await replicas.close();
    }
  }
  return { vaults };
}

function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "stopped: what was healed stays, nothing else was changed", {
    next: "Run it again.",
  });
}
