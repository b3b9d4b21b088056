// What a gateway is and holds, in figures.

import { statfs } from "node:fs/promises";
import type { Gateway } from "../gateway.ts";
import { packTotals } from "../health/packTotals.ts";
import { fetchStatus } from "../replica/restore/fetchAll.ts";
import type { GatewayStatus } from "./operations.ts";

/** `url`: where it listens, or null. */
export async function gatewayStatus(gateway: Gateway, url: string | null): Promise<GatewayStatus> {
  const { dataDir, version, catalog, unlocked } = gateway;
  const { bavail, bsize } = await statfs(dataDir.path);
  const names = new Map(catalog.accounts.list().map((row) => [row.id, row.name]));
  const open = new Set(unlocked.list().map(({ vault }) => vault));
  const vaults: GatewayStatus["vaults"][number][] = [];
  for (const row of catalog.vaults.list()) {
    const vault = await gateway.vault(row.id);
    const { open: filling, closed, evicted } = await packTotals(vault.store.packs);
    vaults.push({
      id: row.id,
      account: names.get(row.account) ?? row.account,
      name: row.name,
      unlocked: open.has(row.id),
      chunks: vault.store.index.count() + vault.store.overlay.size,
      snapshots: vault.catalog.snapshotRows() - vault.catalog.retention.trashRows(),
      packs: filling.packs + closed.packs + evicted.packs,
      packBytes: filling.bytes + closed.bytes + evicted.bytes,
      ...(await fetchStatus(vault)),
    });
  }
  const { upMs: _upPrune, ...prune } = catalog.pruneRuns.last();
  const { upMs: _upGc, ...gc } = catalog.gcRuns.last();
  const { pruneEveryHours, gcEveryHours } = dataDir.settings;
  return {
    id: dataDir.identity.id,
    name: dataDir.settings.name,
    version,
    fingerprint: dataDir.fingerprint,
    url,
    pid: url === null ? null : process.pid,
    accounts: names.size,
    devices: catalog.devices.list().filter((device) => !device.revoked).length,
    freeBytes: bavail * bsize,
    alerts: gateway.alerts.list(),
    prune: { ...prune, everyHours: pruneEveryHours },
    gc: { ...gc, everyHours: gcEveryHours, now: gateway.collecting.now },
    vaults,
  };
}
