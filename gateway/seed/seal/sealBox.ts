// Seals a box: everything on board is read and compared, listed and signed, and from then on the box is read-only (docs/seeding.md).
//
// The order (docs/concurrency.md, "Boxes"): leases end and open packs are closed; packs are read; lists are written; the line in the
// custody log; the manifest; the number of seals; the record that calls the devices back. The manifest is what counts: a box whose
// manifest is there is sealed, and what comes behind it is made up for when the box is opened.
//
// Invariants
// - While it runs, and from the manifest on, nothing is uploaded here.
// - What the manifest lists was read, with the bytes that its name says, after the last upload.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { boxCode } from "../../../vault/seed/boxCode.ts";
import {
  manifestHash,
  openSeedManifest,
  type SeedManifest,
  type SeedVault,
  seedSigningSeed,
  signSeedManifest,
} from "../../../vault/seed/manifest.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { Gateway } from "../../gateway.ts";
import type { OpenVault } from "../../openVault.ts";
import { SnapshotReach } from "../../replica/job/snapshotReach.ts";
import { errnoOf, fileError, syncFoundNames, writeFileDurably } from "../../store/files.ts";
import type { OpenedBox } from "../boxDirectory.ts";
import { BoxState } from "../boxState.ts";
import { appendCustody, readCustody } from "../custodyFile.ts";
import { plannedSeal } from "./plannedSeal.ts";
import { type DamagedPack, VerifiedPacks } from "./verifiedPacks.ts";
import { writeLists } from "./writeLists.ts";

export type SealRequest = { readonly by: string; readonly dryRun: boolean };

export type SealProgress = {
  readonly packs: number;
  readonly totalPacks: number;
  readonly bytes: number;
  readonly totalBytes: number;
};

/** A snapshot that needs what is not on board in a sound copy. */
export type HurtSnapshot = { readonly id: string; readonly device: string; readonly item: string };

export type SealReport = {
  readonly box: number;
  /** 0 where it was only asked what would be done. */
  readonly seal: number;
  readonly code: string;
  readonly manifest: string;
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
  readonly chunks: number;
  readonly damaged: readonly Omit<DamagedPack, "ordinal">[];
  readonly hurt: readonly HurtSnapshot[];
  /** Bytes that are to be read before it is sealed: 0 where it is. */
  readonly leftBytes: number;
  /** It was sealed before; nothing was done. */
  readonly already: boolean;
};

type SealWatch = { readonly onProgress: (progress: SealProgress) => void; readonly signal: AbortSignal };

/** The box that a gateway is. @throws HoldfastError usage where it is none */
export function requireBox({ dataDir }: Pick<Gateway, "dataDir">): OpenedBox {
  if (dataDir.box !== undefined) return dataDir.box;
  throw new HoldfastError(ErrorCode.usage, `${dataDir.path} is no box`, {
    next: "Name the box's data directory: --data BOX.",
  });
}

export function manifestPath(path: string): string {
  return join(path, "seed", "manifest");
}

/** The key that signs a box's manifests. */
export function boxSigningKey({ document, gatewaySecret }: OpenedBox): SigningKey {
  return new SigningKey(seedSigningSeed(Buffer.from(gatewaySecret, "base64"), fromHex(document.id, 16)));
}

/** The manifest of a box that is sealed; undefined for one that is not. @throws HoldfastError seal-invalid, corrupt, io-error */
export async function readManifest(
  path: string,
  box: OpenedBox,
): Promise<{ readonly bytes: Buffer; readonly manifest: SeedManifest } | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(manifestPath(path));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fileError(error, manifestPath(path));
  }
  return { bytes, manifest: openSeedManifest(bytes, boxSigningKey(box).publicKey) };
}

/**
 * Seals the box that this gateway is. One at a time: the caller sees to that.
 * @throws HoldfastError usage where it is no box; cancelled, disk-full, io-error: the next seal goes on
 */
export async function sealBox(gateway: Gateway, request: SealRequest, watch: SealWatch): Promise<SealReport> {
  const { path } = gateway.dataDir;
  const box = requireBox(gateway);
  const sealed = await readManifest(path, box);
  if (sealed !== undefined) return { ...reportOf(sealed, [], []), already: true };
  if (box.document.kind === "restore") {
    throw new HoldfastError(ErrorCode.usage, "a box that restores was sealed when it was made");
  }
  const vaults = await Promise.all(gateway.catalog.vaults.list().map(({ id }) => gateway.vault(id)));
  if (request.dryRun) {
    for (const vault of vaults) await vault.store.flush(() => undefined);
    const seal = new BoxState(gateway.catalog.environment).get().seals + 1;
    return plannedSeal(box, vaults, seal);
  }
  gateway.homes.pause("the box is being sealed");
  try {
    await stopUploads(gateway, vaults);
    return await sealNow(gateway, box, vaults, request, watch);
  } catch (error) {
    if (watch.signal.aborted)
      throw new HoldfastError(ErrorCode.cancelled, "sealing was stopped; it goes on when it is asked again");
    throw error;
  } finally {
    gateway.homes.resume();
  }
}

/** Nothing that was acknowledged is in an open pack after this. */
async function stopUploads({ catalog }: Gateway, vaults: readonly OpenVault[]): Promise<void> {
  for (const vault of vaults) {
    vault.catalog.leases.endOf(catalog.devices.list().map(({ id }) => id));
    await vault.store.closeOpenPacks();
    await vault.store.flush(() => undefined);
  }
}

async function sealNow(
  gateway: Gateway,
  box: OpenedBox,
  vaults: readonly OpenVault[],
  { by }: SealRequest,
  watch: SealWatch,
): Promise<SealReport> {
  const { catalog, now, logger } = gateway;
  const { path } = gateway.dataDir;
  const state = new BoxState(catalog.environment);
  const seal = state.get().seals + 1;
  const damaged = await verifyPacks(gateway, vaults, seal, watch);
  const hurt: HurtSnapshot[] = [];
  const rows: SeedVault[] = [];
  for (const vault of vaults) {
    const without = new Set(damaged.filter((pack) => pack.vault === vault.id).map(({ ordinal }) => ordinal));
    const own = catalog.devices.list().filter((device) => device.vault === vault.id);
    const { devices } = state.get();
    const { row, lostSnapshots } = await writeLists({
      vault,
      row: catalog.vaults.get(vault.id)!,
      path,
      without,
      devices: own
        .filter(({ id }) => !devices.includes(id))
        .map(({ ordinal: _ordinal, ...device }) => device),
      signal: watch.signal,
    });
    rows.push(row);
    hurt.push(...lostSnapshots.map((snapshot) => hurtOf(gateway, vault, snapshot)));
    hurt.push(...(await hurtBy(gateway, vault, [...without], watch.signal)));
  }
  watch.signal.throwIfAborted();
  const time = now().toISOString();
  await appendCustody(path, { time, event: "sealed", by, note: `seal ${seal}` });
  const custody = await readCustody(path);
  const { kind, box: number, id, datacentre } = box.document;
  const manifest: SeedManifest = {
    kind,
    box: number,
    id,
    datacentre: datacentre.id,
    seal,
    time,
    vaults: rows,
    custody: { entries: custody.entries.length, sha256: custody.sha256 },
  };
  const bytes = signSeedManifest(manifest, boxSigningKey(box));
  await writeFileDurably(manifestPath(path), bytes);
  logger.info({ box: number, seal, damaged: damaged.length, hurt: hurt.length }, "box sealed");
  await settleSeal(gateway);
  return reportOf({ bytes, manifest }, damaged, hurt);
}

/**
 * What comes behind the manifest, for the seal and for a box that was stopped in between: the number of seals, and the devices' recall.
 * Nothing happens at a gateway that is no sealed box.
 */
export async function settleSeal(gateway: Gateway): Promise<void> {
  const { path, box } = gateway.dataDir;
  if (box === undefined) return;
  // That of the manifest, or that it has none any more (reopenBox.ts).
  await syncFoundNames(dirname(manifestPath(path)));
  const sealed = await readManifest(path, box);
  if (sealed === undefined) return;
  const state = new BoxState(gateway.catalog.environment);
  if (state.get().seals < sealed.manifest.seal) state.update({ seals: sealed.manifest.seal });
  for (const record of Object.values(box.secrets.recalls)) await gateway.homes.adopt(Buffer.from(record));
}

async function verifyPacks(
  gateway: Gateway,
  vaults: readonly OpenVault[],
  seal: number,
  { onProgress, signal }: SealWatch,
): Promise<DamagedPack[]> {
  const total = totals(vaults);
  let packs = 0;
  let bytes = 0;
  const damaged: DamagedPack[] = [];
  for (const vault of vaults) {
    const verified = new VerifiedPacks(vault.store);
    const found = await verified.verify({
      vault: vault.id,
      directory: gateway.vaultDirectory(vault.id),
      seal,
      signal,
      onPack: (packBytes) => {
        packs++;
        bytes += packBytes;
        onProgress({ packs, totalPacks: total.packs, bytes, totalBytes: total.packBytes });
      },
    });
    damaged.push(...found);
  }
  return damaged;
}

function totals(vaults: readonly OpenVault[]): { packs: number; packBytes: number } {
  let [packs, packBytes] = [0, 0];
  for (const vault of vaults) {
    for (const { bytes, state } of vault.store.packs.all()) {
      if (state === "open") continue;
      packs++;
      packBytes += bytes;
    }
  }
  return { packs, packBytes };
}

function hurtOf({ catalog }: Gateway, vault: OpenVault, { id, device, item }: Snapshot): HurtSnapshot {
  return {
    id,
    device: catalog.devices.get(device)?.name ?? device,
    item: vault.catalog.item(item)?.name ?? item,
  };
}

async function hurtBy(
  gateway: Gateway,
  vault: OpenVault,
  packs: readonly number[],
  signal: AbortSignal,
): Promise<HurtSnapshot[]> {
  if (packs.length === 0) return [];
  const reach = new SnapshotReach(vault.store.index, vault.needs, packs);
  const hurt: HurtSnapshot[] = [];
  for (const snapshot of vault.catalog.snapshots()) {
    const root = vault.store.lookup(snapshot.group, fromHex(snapshot.root, 32))?.ordinal;
    if (!(await reach.whole(root, signal))) hurt.push(hurtOf(gateway, vault, snapshot));
  }
  return hurt;
}

function reportOf(
  { bytes, manifest }: { readonly bytes: Buffer; readonly manifest: SeedManifest },
  damaged: readonly DamagedPack[],
  hurt: readonly HurtSnapshot[],
): SealReport {
  const sum = (of: (vault: SeedVault) => number): number =>
    manifest.vaults.reduce((total, vault) => total + of(vault), 0);
  const hash = manifestHash(bytes);
  return {
    box: manifest.box,
    seal: manifest.seal,
    code: boxCode(manifest.box, hash),
    manifest: hash,
    packs: sum(({ packs }) => packs),
    packBytes: sum(({ packBytes }) => packBytes),
    snapshots: sum(({ snapshots }) => snapshots),
    chunks: sum(({ chunks }) => chunks),
    damaged: damaged.map(({ ordinal: _ordinal, ...pack }) => pack),
    hurt,
    leftBytes: 0,
    already: false,
  };
}
