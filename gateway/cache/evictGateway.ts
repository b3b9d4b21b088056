// Evicting packs of all vaults of a gateway.

import type { EvictProgress, EvictRequest, EvictResult } from "../admin/evictOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { type EvictableVault, type EvictWish, evictOldest } from "./evictOldest.ts";

/** All vaults of a gateway, open. @throws HoldfastError what opening one says */
function evictableVaults(gateway: Gateway): Promise<EvictableVault[]> {
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
  if (dryRun) return await evictOldest(await evictableVaults(gateway), wish, watch);
  const result = await evictAsJob(gateway, wish, watch);
  gateway.logger.info({ ...result }, "packs were evicted");
  return result;
}

/** Evicts, and leaves a row in the history. */
export function evictAsJob(
  gateway: Gateway,
  wish: EvictWish,
  watch: JobWatch<EvictProgress>,
): Promise<EvictResult> {
  return gateway.jobs.run(
    { kind: "evict", subject: "" },
    {
      ...watch,
      shown: ({ packsDone, packsTotal, bytesDone, bytesTotal }) => ({
        ...{ phase: "evicting", unit: "pack", done: packsDone, total: packsTotal },
        ...{ bytes: bytesDone, totalBytes: bytesTotal },
      }),
    },
    async (watch) => await evictOldest(await evictableVaults(gateway), wish, watch),
    ({ evictedPacks, evictedBytes, provenBytes, stayed }) => ({
      figures: { packs: evictedPacks, bytes: evictedBytes, proven_bytes: provenBytes },
      warnings: stayed.length > 0,
    }),
  );
}
