// Snapshot objects of a vault that is being restored, and what the catalog says of them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import type { SnapshotRow } from "../../../vault/replica/manifestPage.ts";
import { parseSnapshotHeader, type SnapshotHeader } from "../../../vault/snapshot.ts";
import type { Item, Snapshot } from "../../catalog/vaultCatalog.ts";
import { writeFileDurably } from "../../store/files.ts";
import type { VaultPart } from "../gatewayState/vaultPart.ts";
import { namedKey, vaultFolder } from "../keys.ts";
import { damagedObject, fetchObject } from "./fetchObject.ts";
import { isDamage } from "./indexPacks.ts";
import { inParallel } from "./inParallel.ts";
import type { RestoreManifest } from "./manifest.ts";
import type { RestorePort } from "./restorePort.ts";

/**
 * Brings all snapshot objects and answers their rows in the order of their commits. `snapshots/` exists.
 * @throws HoldfastError replica-damaged, disk-full, io-error; as ReplicaStore.getRange
 */
export async function fetchSnapshots(port: RestorePort, manifest: RestoreManifest): Promise<Snapshot[]> {
  port.expect(manifest.count(ManifestPageType.snapshots), 0);
  const rows: (Snapshot | undefined)[] = [];
  for await (const page of manifest.pages(ManifestPageType.snapshots)) {
    const from = rows.length;
    rows.length += page.length;
    await inParallel(page.entries(), port.parallel, async ([i, row]) => {
      try {
        rows[from + i] = await fetchSnapshot(port, row);
      } catch (error) {
        if (!isDamage(error)) throw error;
        port.tolerate(error);
      }
      port.arrived(1, row.bytes);
    });
  }
  return rows.filter((row) => row !== undefined);
}

async function fetchSnapshot(port: RestorePort, row: SnapshotRow): Promise<Snapshot> {
  const id = toHex(row.id);
  const key = namedKey(vaultFolder(port.vault), "snapshots", row.id);
  const object = await fetchObject(port.store, { key, bytes: row.bytes, sha256: row.id }, port.signal);
  let header: SnapshotHeader;
  try {
    header = parseSnapshotHeader(object);
  } catch (error) {
    throw isHoldfastError(error) ? damagedObject(key, "is no snapshot", error) : error;
  }
  if (toHex(header.vaultId) !== port.vault) throw damagedObject(key, "is a snapshot of another vault");
  const path = join(port.directory, "snapshots", id);
  if (!existsSync(path)) await writeFileDurably(path, object);
  return snapshotRow(id, object.length, header, new Date(row.receivedMs).toISOString());
}

/** The row of a snapshot object of so many bytes. `received`: RFC 3339. */
export function snapshotRow(id: string, bytes: number, header: SnapshotHeader, received: string): Snapshot {
  return {
    id,
    device: toHex(header.deviceId),
    item: toHex(header.itemId),
    group: header.group,
    sequence: header.sequence,
    keyEpoch: header.keyEpoch,
    root: toHex(header.root),
    received,
    incomplete: header.flags.incomplete,
    bytes,
  };
}

/** Items with the newest of their snapshots. One that the vault's part does not list gets a name from its id. */
export function itemsOf(part: VaultPart, snapshots: readonly Snapshot[]): Item[] {
  const items = new Map<string, Item>();
  for (const { id, device, name } of part.items) {
    items.set(id, { id, device, name, sequence: 0, head: null });
  }
  for (const { id, item, device, sequence } of snapshots) {
    const known = items.get(item) ?? { id: item, device, name: `item-${item}`, sequence: 0, head: null };
    items.set(item, sequence > known.sequence ? { ...known, sequence, head: id } : known);
  }
  return [...items.values()];
}

/** Root page of a snapshot, 32 bytes. */
export function rootOf(snapshot: Snapshot): Buffer {
  return fromHex(snapshot.root, 32);
}
