// Rebuilds the indexes of a gateway's vaults, one after the other, while no gateway runs on the directory.

import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import { unknownWriter } from "../../catalog/devices.ts";
import type { Vault } from "../../catalog/vaults.ts";
import type { Gateway } from "../../gateway.ts";
import { vaultOfBox } from "../../seed/boxDirectory.ts";
import {
  type RebuildProgress,
  type RebuiltVault,
  rebuildVault,
  type VaultToRebuild,
} from "./rebuildVault.ts";

export type RebuildRequest = {
  /** 32 hex digits; undefined: all vaults. */
  readonly vault: string | undefined;
};

export type RebuildResult = { readonly vaults: readonly RebuiltVault[] };

/** What of a vault's rebuild comes from its gateway. */
export function vaultToRebuild(
  gateway: Pick<Gateway, "catalog" | "dataDir" | "vaultDirectory">,
  row: Vault,
): Pick<VaultToRebuild, "vault" | "directory" | "key" | "metadataKey" | "writerOrdinal"> {
  const { catalog, dataDir } = gateway;
  return {
    vault: row.id,
    directory: gateway.vaultDirectory(row.id),
    key: vaultOfBox(dataDir, row.id).indexKey,
    metadataKey: row.metadataKey,
    writerOrdinal: (device) => catalog.devices.get(toHex(device))?.ordinal ?? unknownWriter,
  };
}

/** The vaults that are asked for. @throws HoldfastError not-found */
export function vaultsAsked({ catalog }: Pick<Gateway, "catalog">, vault: string | undefined): Vault[] {
  const rows = catalog.vaults.list().filter(({ id }) => vault === undefined || id === vault);
  if (rows.length === 0 && vault !== undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
  return rows;
}

/** @throws HoldfastError not-found, disk-full, io-error, cancelled */
export async function rebuildGateway(
  gateway: Gateway,
  request: RebuildRequest,
  { onProgress, signal }: JobWatch<RebuildProgress>,
): Promise<RebuildResult> {
  const vaults: RebuiltVault[] = [];
  for (const row of vaultsAsked(gateway, request.vault)) {
    await gateway.closeVault(row.id);
    const from = { dryRun: false, signal, onProgress };
    const rebuilt = await rebuildVault({ ...vaultToRebuild(gateway, row), ...from }).catch(
      (error: unknown) => {
        throw signal.aborted ? stopped() : error;
      },
    );
    gateway.logger.warn({ ...rebuilt, hurt: rebuilt.hurt.length }, "index-rebuilt");
    vaults.push(rebuilt);
  }
  return { vaults };
}

function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "stopped: the old index still counts", {
    next: "Run it again: it begins anew.",
  });
}
