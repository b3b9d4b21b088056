// One vault from a replica into a new data directory.
//
// Invariants
// - Items and snapshots come in the transaction that ends the work, with the last rows of the index: a vault that lists any is
//   whole, and one that does not is done again, from where packs and files say it is.
// - Everything that a visible snapshot reaches has a row in the index; a row without a sound copy is flagged, and on the need-list.

import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { parseKeysDocument } from "../../../vault/keys/keysDocument.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import type { NamedObject, VaultRoot } from "../../../vault/replica/root.ts";
import { openCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import { parseVaultDocument, requireFeatures } from "../../../vault/vaultDocument.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { makeFolderDurably, writeFileDurably } from "../../store/files.ts";
import { noRetention } from "../gatewayState/retentionPart.ts";
import { parseVaultPart, type VaultPart } from "../gatewayState/vaultPart.ts";
import { namedKey, vaultFolder } from "../keys.ts";
import { admitMetadata, settleWaiting } from "./admitMetadata.ts";
import { damagedObject, fetchObject } from "./fetchObject.ts";
import { enterPacks, indexDataPacks, isDamage } from "./indexPacks.ts";
import { RestoreManifest } from "./manifest.ts";
import { fetchedMetadata, fetchMetadataPacks } from "./metadataPacks.ts";
import { RecordAdmission } from "./recordAdmission.ts";
import type { RestorePort } from "./restorePort.ts";
import { fetchSnapshots, itemsOf, rootOf } from "./snapshots.ts";
import { VaultTables } from "./vaultTables.ts";

/** Room for what is small: documents, snapshots, the database's own pages. */
const spareBytes = 64 * 2 ** 20;

export type VaultToRestore = {
  readonly root: VaultRoot;
  readonly metadataKey: Uint8Array;
  /** Id of the replica's row in the new catalog. */
  readonly replica: string;
  readonly writerOrdinal: (device: Uint8Array) => number;
  /** Data packs stay in the replica. */
  readonly keepRemote: boolean;
};

export type RestoredVault = {
  readonly vault: string;
  readonly snapshots: number;
  readonly packs: number;
  readonly packBytes: number;
  readonly records: number;
  /** Snapshots (64 hex digits) that are not whole. */
  readonly hurt: readonly string[];
};

/**
 * Restores a vault, or goes on with it.
 * @throws HoldfastError replica-damaged; unsupported; disk-full, io-error; as ReplicaStore's
 */
export async function restoreVault(port: RestorePort, wanted: VaultToRestore): Promise<RestoredVault> {
  const { directory } = port;
  for (const folder of ["", "keys", "packs", "open", "snapshots", "tails"]) {
    await makeFolderDurably(join(directory, folder));
  }
  await restoreDocuments(port, wanted.root);
  const tables = new VaultTables(directory);
  try {
    if (tables.catalog.changes() === 0) await restoreContent(port, wanted, tables);
    const snapshots = tables.catalog.allSnapshots();
    return {
      vault: port.vault,
      snapshots: snapshots.length,
      packs: wanted.root.packs,
      packBytes: wanted.root.packBytes,
      records: tables.index.count(),
      hurt: hurtOf(tables, snapshots),
    };
  } finally {
    await tables.close();
  }
}

async function restoreDocuments(port: RestorePort, root: VaultRoot): Promise<void> {
  const document = await fetchNamed(port, root.document);
  const keys = await fetchNamed(port, root.keys);
  let generation: number;
  try {
    const parsed = parseVaultDocument(document);
    requireFeatures(parsed, "read");
    const parsedKeys = parseKeysDocument(keys);
    generation = parsedKeys.generation;
    if (parsed.id !== port.vault || parsedKeys.vault !== port.vault) {
      throw damagedObject(vaultFolder(port.vault) + root.document.name, "is of another vault");
    }
  } catch (error) {
    if (!isHoldfastError(error) || error.code === ErrorCode.unsupported || isDamage(error)) throw error;
    throw damagedObject(vaultFolder(port.vault) + root.document.name, "or the keys cannot be read", error);
  }
  const keysFile = join(port.directory, "keys", `${String(generation).padStart(8, "0")}.json`);
  if (!existsSync(keysFile)) await writeFileDurably(keysFile, keys);
  const file = join(port.directory, "vault.json");
  if (!existsSync(file)) await writeFileDurably(file, document);
}

/** An object that a vault's root names. @throws HoldfastError replica-damaged; as ReplicaStore.getRange */
export function fetchNamed(
  port: Pick<RestorePort, "store" | "vault" | "signal">,
  { name, bytes, sha256 }: NamedObject,
): Promise<Buffer> {
  const key = vaultFolder(port.vault) + name;
  return fetchObject(port.store, { key, bytes, sha256: fromHex(sha256) }, port.signal);
}

/** A sealed part of a vault's catalog. @throws HoldfastError corrupt, truncated, limit-exceeded, key-wrong, unsupported */
export function openPart(sealed: Uint8Array, metadataKey: Uint8Array, vault: string): VaultPart {
  return parseVaultPart(openCatalog(sealed, vaultCatalogKey(metadataKey, fromHex(vault, 16))), vault);
}

/** The vault's part of the catalog; where that is damaged and may be gone around, one that says nothing. */
async function fetchPart(port: RestorePort, { root, metadataKey }: VaultToRestore): Promise<VaultPart> {
  try {
    const sealed = await fetchNamed(port, root.catalog);
    try {
      return openPart(sealed, metadataKey, port.vault);
    } catch (error) {
      if (!isHoldfastError(error) || error.code === ErrorCode.unsupported) throw error;
      throw damagedObject(vaultFolder(port.vault) + root.catalog.name, "cannot be read", error);
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    port.tolerate(error);
    return { changes: root.snapshots, items: [], definitions: [], needs: [], retention: noRetention };
  }
}

async function restoreContent(port: RestorePort, wanted: VaultToRestore, tables: VaultTables): Promise<void> {
  const part = await fetchPart(port, wanted);
  const manifest = await RestoreManifest.open(port.store, wanted.root, port.signal);
  await enterPacks(port, manifest, tables, wanted.replica);
  await requireRoom(port, manifest, tables);
  const admission = new RecordAdmission(tables, part.needs, wanted.writerOrdinal);
  await indexDataPacks(port, manifest, tables, admission);
  await fetchMetadataPacks(port, tables, wanted.replica);
  const metadata = fetchedMetadata(port);
  const waiting = await admitMetadata(metadata, tables, admission);
  const snapshots = await fetchSnapshots(port, manifest);
  const rootless = (): Snapshot[] =>
    snapshots.filter((snapshot) => tables.overlay.lookup(snapshot.group, rootOf(snapshot)) === undefined);
  const hurt = rootless();
  for (const { id } of hurt) {
    const key = namedKey(vaultFolder(port.vault), "snapshots", fromHex(id));
    port.tolerate(damagedObject(key, "needs records that are not in the replica"));
  }
  await settleWaiting(metadata, tables, admission, waiting, hurt.length > 0);
  for (const snapshot of rootless()) admission.standIn(snapshot.group, rootOf(snapshot));
  await tables.overlay.flush(() => {
    for (const need of admission.needs()) tables.needs.restore(need);
    tables.catalog.restore(itemsOf(part, snapshots), snapshots, part.changes);
    tables.catalog.retention.restore(part.retention);
    tables.catalog.definitions.restore(part.definitions);
    // What followed it may not have come to the replica: an item's newest snapshot is never in the trash.
    for (const { head } of tables.catalog.items()) {
      if (head !== null) tables.catalog.retention.takeFromTrash(head);
    }
    if (!wanted.keepRemote) tables.backfill.setEnd(wanted.root.packs);
  });
}

/**
 * Refuses to begin what cannot end: metadata packs come whole; tails take what index segments do, and so, roughly, does the index.
 * @throws HoldfastError disk-full
 */
async function requireRoom(
  { directory }: RestorePort,
  manifest: RestoreManifest,
  { packs }: VaultTables,
): Promise<void> {
  let needed = spareBytes;
  for (const pack of packs.all()) if (pack.kind === "meta" && pack.state === "evicted") needed += pack.bytes;
  for await (const rows of manifest.pages(ManifestPageType.segments)) {
    for (const { bytes } of rows) needed += 2 * bytes;
  }
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= needed) return;
  const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
  throw new HoldfastError(
    ErrorCode.diskFull,
    `the vault needs ${mebibytes(needed)} MiB here at least, and ${mebibytes(bavail * bsize)} MiB are free`,
    { next: "Make room, or take another disk for --data, and run this again.", detail: { path: directory } },
  );
}

/** Snapshots that reach records without a sound copy. */
function hurtOf(tables: VaultTables, snapshots: readonly Snapshot[]): string[] {
  if (tables.needs.unmet().size === 0) return [];
  return snapshots
    .filter((snapshot) => {
      const row = tables.index.lookup(snapshot.group, rootOf(snapshot));
      return row === undefined || tables.needs.missingBelow(row.ordinal, 1).length > 0;
    })
    .map(({ id }) => id);
}
