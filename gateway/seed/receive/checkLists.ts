// Looks through the lists of an announced manifest, whole, before anything of them counts.

import { readFile } from "node:fs/promises";
import { namePattern } from "../../../ingest/wire/names.ts";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asObject, parseJson } from "../../../vault/jsonFields.ts";
import { parseKeysDocument } from "../../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../../vault/keys/keysTypes.ts";
import { limits } from "../../../vault/limits.ts";
import { openCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import { boxGroupsStart } from "../../../vault/seed/boxDocument.ts";
import { readChunkList } from "../../../vault/seed/chunkList.ts";
import type { SeedListName, SeedVault } from "../../../vault/seed/manifest.ts";
import { readPackList } from "../../../vault/seed/packList.ts";
import { readSnapshotList } from "../../../vault/seed/snapshotList.ts";
import { parseSnapshotHeader } from "../../../vault/snapshot.ts";
import { sharedGroup } from "../../catalog/accounts.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Device } from "../../catalog/devices.ts";
import type { Item } from "../../catalog/vaultCatalog.ts";
import type { Gateway } from "../../gateway.ts";
import { parseDevice } from "../../replica/gatewayState/partRows.ts";
import { parseVaultPart } from "../../replica/gatewayState/vaultPart.ts";
import { type ListReading, listPath, readList } from "../listFiles.ts";

/** What the lists of one vault say besides packs, chunks and snapshots. */
export type SeedPart = {
  readonly items: readonly Pick<Item, "id" | "device" | "name">[];
  /** Devices that were enrolled at the box, those too that were revoked there: their snapshots stay. */
  readonly devices: readonly Omit<Device, "ordinal">[];
  readonly keys: KeysDocument;
};

type Pieces = AsyncIterable<Uint8Array>;
type ReadList = (list: SeedListName) => Pieces;

const deviceName = new RegExp(namePattern, "u");

/**
 * Checks the lists of a vault against the manifest and against each other.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, unsupported; key-wrong for another vault's catalog; the signal's reason
 */
export async function checkLists(
  gateway: Gateway,
  box: Pick<BoxRow, "number" | "accounts">,
  folder: string,
  vault: SeedVault,
  reading: ListReading,
): Promise<SeedPart> {
  const part = await readPart(gateway, box.number, folder, vault);
  const read: ReadList = (list) => readList(listPath(folder, vault.id, list), reading);
  await checkPacks(read("packs"), vault);
  await checkChunks(read("chunks"), vault);
  await checkSnapshots(gateway, box, read("snapshots"), vault, part);
  return part;
}

async function readPart(gateway: Gateway, box: number, folder: string, vault: SeedVault): Promise<SeedPart> {
  const metadataKey = Buffer.from(gateway.catalog.vaults.get(vault.id)!.metadataKey, "base64");
  const sealed = await readFile(listPath(folder, vault.id, "catalog"));
  const text = openCatalog(sealed, vaultCatalogKey(metadataKey, fromHex(vault.id, 16)));
  const { items } = parseVaultPart(text, vault.id);
  const json = asObject(parseJson(text, "a box's catalog", limits.catalogBytesMax), "a box's catalog");
  const tokens = new Set<string>();
  const devices = asArray(json.devices, "devices of a box", limits.wrapsMax).map((row) => {
    const { ordinal: _ordinal, ...device } = parseDevice({ ...asObject(row, "a device"), ordinal: 0 });
    if (device.account !== vault.account || device.vault !== vault.id || !isBoxGroup(device, box)) {
      throw new HoldfastError(ErrorCode.corrupt, "a device of a box that belongs elsewhere");
    }
    if (!deviceName.test(device.name))
      throw new HoldfastError(ErrorCode.corrupt, "what no device may be called");
    // A token stands for one device: who took another's would take its place. And who names a device of here knows its token's hash.
    const { catalog } = gateway;
    const holder = catalog.devices.byToken(fromHex(device.tokenHash, 32))?.id ?? device.id;
    const token = catalog.devices.get(device.id)?.tokenHash ?? device.tokenHash;
    if (tokens.has(device.tokenHash) || holder !== device.id || token !== device.tokenHash) {
      throw new HoldfastError(ErrorCode.corrupt, "a device of a box has the token of another one");
    }
    tokens.add(device.tokenHash);
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

async function checkPacks(list: Pieces, vault: SeedVault): Promise<void> {
  let packs = 0;
  let bytes = 0;
  for await (const row of readPackList(list)) {
    packs++;
    bytes += row.bytes;
  }
  if (packs !== vault.packs || bytes !== vault.packBytes) throw otherCount("packs");
}

async function checkChunks(list: Pieces, vault: SeedVault): Promise<void> {
  let chunks = 0;
  for await (const { prefixes } of readChunkList(list)) {
    chunks += prefixes.length / 8;
  }
  if (chunks !== vault.chunks) throw otherCount("chunks");
}

async function checkSnapshots(
  gateway: Gateway,
  { accounts }: Pick<BoxRow, "accounts">,
  list: Pieces,
  vault: SeedVault,
  { items, devices, keys }: SeedPart,
): Promise<void> {
  const itemDevices = new Map(items.map(({ id, device }) => [id, device]));
  const lent = accounts.find(({ account }) => account === vault.account)?.devices;
  const known = gateway.catalog.devices.list(vault.account);
  const own = lent === null ? known : known.filter(({ id }) => lent?.includes(id));
  const groups = new Map([...own, ...devices].map(({ id, group }) => [id, group]));
  let snapshots = 0;
  for await (const { object } of readSnapshotList(list)) {
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
