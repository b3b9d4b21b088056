// Looks through the lists of an announced manifest, whole, before anything of them counts.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asObject, parseJson } from "../../../vault/jsonFields.ts";
import { parseKeysDocument } from "../../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../../vault/keys/keysTypes.ts";
import { limits } from "../../../vault/limits.ts";
import { openCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import { boxGroupsStart } from "../../../vault/seed/boxDocument.ts";
import { readChunkList } from "../../../vault/seed/chunkList.ts";
import type { SeedVault } from "../../../vault/seed/manifest.ts";
import { readPackList } from "../../../vault/seed/packList.ts";
import { readSnapshotList } from "../../../vault/seed/snapshotList.ts";
import { parseSnapshotHeader } from "../../../vault/snapshot.ts";
import { sharedGroup } from "../../catalog/accounts.ts";
import type { Device } from "../../catalog/devices.ts";
import type { Item } from "../../catalog/vaultCatalog.ts";
import type { Gateway } from "../../gateway.ts";
import { parseDevice } from "../../replica/gatewayState/partRows.ts";
import { parseVaultPart } from "../../replica/gatewayState/vaultPart.ts";
import { listPath } from "../listFiles.ts";

/** What the lists of one vault say besides packs, chunks and snapshots. */
export type SeedPart = {
  readonly items: readonly Pick<Item, "id" | "device" | "name">[];
  /** Devices that were enrolled at the box. */
  readonly devices: readonly Omit<Device, "ordinal">[];
  readonly keys: KeysDocument;
};

const rowsMax = 2 ** 20;

/**
 * Checks the lists of a vault against the manifest and against each other.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, unsupported; key-wrong for another vault's catalog
 */
export async function checkLists(
  gateway: Gateway,
  box: number,
  folder: string,
  vault: SeedVault,
): Promise<SeedPart> {
  const part = await readPart(gateway, box, folder, vault);
  await checkPacks(folder, vault);
  await checkChunks(folder, vault);
  await checkSnapshots(gateway, folder, vault, part);
  return part;
}

async function readPart(gateway: Gateway, box: number, folder: string, vault: SeedVault): Promise<SeedPart> {
  const metadataKey = Buffer.from(gateway.catalog.vaults.get(vault.id)!.metadataKey, "base64");
  const sealed = await readFile(listPath(folder, vault.id, "catalog"));
  const text = openCatalog(sealed, vaultCatalogKey(metadataKey, fromHex(vault.id, 16)));
  const { items } = parseVaultPart(text, vault.id);
  const json = asObject(parseJson(text, "a box's catalog", limits.catalogBytesMax), "a box's catalog");
  const devices = asArray(json.devices, "devices of a box", rowsMax).map((row) => {
    const { ordinal: _ordinal, ...device } = parseDevice({ ...asObject(row, "a device"), ordinal: 0 });
    if (device.account !== vault.account || device.vault !== vault.id || !isBoxGroup(device, box)) {
      throw new HoldfastError(ErrorCode.corrupt, "a device of a box that belongs elsewhere");
    }
    return device;
  });
  const keys = parseKeysDocument((await readFile(listPath(folder, vault.id, "keys"))).toString());
  if (keys.vault !== vault.id || keys.account !== vault.account) {
    throw new HoldfastError(ErrorCode.corrupt, "a keys document of another vault");
  }
  return { items, devices, keys };
}

/** Isolated devices have groups of the box's own range, the others share the account's. */
function isBoxGroup({ group, isolated }: Pick<Device, "group" | "isolated">, box: number): boolean {
  if (!isolated) return group === sharedGroup;
  return group >= boxGroupsStart(box) && group < boxGroupsStart(box + 1);
}

async function checkPacks(folder: string, vault: SeedVault): Promise<void> {
  let packs = 0;
  let bytes = 0;
  for await (const row of readPackList(createReadStream(listPath(folder, vault.id, "packs")))) {
    packs++;
    bytes += row.bytes;
  }
  if (packs !== vault.packs || bytes !== vault.packBytes) throw otherCount("packs");
}

async function checkChunks(folder: string, vault: SeedVault): Promise<void> {
  let chunks = 0;
  for await (const { prefixes } of readChunkList(createReadStream(listPath(folder, vault.id, "chunks")))) {
    chunks += prefixes.length / 8;
  }
  if (chunks !== vault.chunks) throw otherCount("chunks");
}

async function checkSnapshots(
  gateway: Gateway,
  folder: string,
  vault: SeedVault,
  { items, devices, keys }: SeedPart,
): Promise<void> {
  const itemDevices = new Map(items.map(({ id, device }) => [id, device]));
  const groups = new Map(
    [...gateway.catalog.devices.list(vault.account), ...devices].map(({ id, group }) => [id, group]),
  );
  let snapshots = 0;
  for await (const { object } of readSnapshotList(
    createReadStream(listPath(folder, vault.id, "snapshots")),
  )) {
    const header = parseSnapshotHeader(object);
    const device = toHex(header.deviceId);
    const sound =
      toHex(header.vaultId) === vault.id &&
      itemDevices.get(toHex(header.itemId)) === device &&
      groups.get(device) === header.group &&
      header.keyEpoch <= keys.epoch;
    if (!sound) throw new HoldfastError(ErrorCode.corrupt, "a snapshot of a box that belongs elsewhere");
    snapshots++;
  }
  if (snapshots !== vault.snapshots) throw otherCount("snapshots");
}

function otherCount(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `the list of ${what} has other ${what} than the manifest says`);
}
