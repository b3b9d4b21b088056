// Evicting packs of all vaults of a gateway.

import type { EvictProgress, EvictRequest, EvictResult } from "../admin/evictOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { type EvictableVault, evictOldest } from "./evictOldest.ts";

/** All vaults of a gateway, open. @throws HoldfastError what opening one says */
export function evictableVaults(gateway: Gateway): Promise<EvictableVault[]> {
  const rows = gateway.catalog.vaults.list();
  return Promise.all(
    rows.map(async ({ id }) => ({ vault: await gateway.vault(id), directory: gateway.vaultDirectory(id) })),
  );
}

/** See EvictOperations. */
export async function evictGateway(
  gateway: Gateway,
  request: EvictRequest,
  watch: JobWatch<EvictProgress>,
): Promise<EvictResult> {
  const { keepBytes, dryRun } = request;
  const wish = { goingBytes: (local: number) => local - keepBytes, insist: false, dryRun };
  const result = await evictOldest(await evictableVaults(gateway), wish, watch);
  if (!dryRun) gateway.logger.info({ ...result }, "packs were evicted");
  return result;
}
