// Items and snapshots of an account over all its vaults, with names instead of ids.

import type { ItemRow, SnapshotRow } from "../ingest/wire/messages.ts";
import type { Snapshot } from "./catalog/vaultCatalog.ts";
import type { Gateway } from "./gateway.ts";
import type { OpenVault } from "./openVault.ts";

/** Only these devices and items, by name, and a device by its id; undefined: all. */
export type ListFilter = {
  readonly device?: string | undefined;
  readonly item?: string | undefined;
  readonly deviceId?: string | undefined;
};

function deviceNames(gateway: Gateway, account: string): Map<string, string> {
  return new Map(gateway.catalog.devices.list(account).map((device) => [device.id, device.name]));
}

/** The items of an account. */
export async function listItems(gateway: Gateway, account: string, filter: ListFilter): Promise<ItemRow[]> {
  const names = deviceNames(gateway, account);
  const rows: ItemRow[] = [];
  for (const vault of await gateway.vaultsOf(account)) {
    for (const { id, name, sequence, head, device } of vault.catalog.items()) {
      const row = { id, name, sequence, head, device: names.get(device) ?? device };
      if (filter.deviceId !== undefined && device !== filter.deviceId) continue;
      if (filter.device !== undefined && row.device !== filter.device) continue;
      if (filter.item !== undefined && row.name !== filter.item) continue;
      rows.push(row);
    }
  }
  return rows;
}

/** The newest snapshot of each item of an account, the one that was received last first, `most` at most. */
export async function listNewest(
  gateway: Gateway,
  account: string,
  filter: ListFilter,
  most: number,
): Promise<SnapshotRow[]> {
  const names = deviceNames(gateway, account);
  const rows: SnapshotRow[] = [];
  for (const vault of await gateway.vaultsOf(account)) {
    for (const { name, head } of vault.catalog.items()) {
      const snapshot = head === null ? undefined : vault.catalog.snapshot(head);
      if (snapshot === undefined) continue;
      const row = rowOf(vault, snapshot, names, name);
      if (passes(row, filter)) rows.push(row);
    }
  }
  return rows.sort(laterFirst).slice(0, most);
}

/** The snapshots of an account, newest first. */
export async function listSnapshots(
  gateway: Gateway,
  account: string,
  filter: ListFilter,
): Promise<SnapshotRow[]> {
  const names = deviceNames(gateway, account);
  const lists: SnapshotRow[][] = [];
  for (const vault of await gateway.vaultsOf(account)) {
    const items = new Map(vault.catalog.items().map((item) => [item.id, item.name]));
    const rows: SnapshotRow[] = [];
    for (const snapshot of vault.catalog.snapshots()) {
      const row = rowOf(vault, snapshot, names, items.get(snapshot.item) ?? snapshot.item);
      if (passes(row, filter)) rows.push(row);
    }
    lists.push(rows);
  }
  // Each list is in the order of commits, which a clock that was set back must not disturb; only between vaults does time decide.
  if (lists.length === 1) return lists[0]!;
  return lists.flat().sort(laterFirst);
}

function rowOf(
  vault: OpenVault,
  snapshot: Snapshot,
  names: ReadonlyMap<string, string>,
  item: string,
): SnapshotRow {
  const { id, device, group, sequence, received, incomplete } = snapshot;
  const pending = vault.pendingBoxes(id);
  return {
    id,
    vault: vault.id,
    deviceId: device,
    device: names.get(device) ?? device,
    itemId: snapshot.item,
    item,
    group,
    sequence,
    received,
    incomplete,
    ...(pending !== undefined && { pending }),
  };
}

function passes(row: SnapshotRow, { device, item, deviceId }: ListFilter): boolean {
  if (deviceId !== undefined && row.deviceId !== deviceId) return false;
  return (device === undefined || row.device === device) && (item === undefined || row.item === item);
}

function laterFirst(a: SnapshotRow, b: SnapshotRow): number {
  return a.received > b.received ? -1 : a.received < b.received ? 1 : 0;
}
