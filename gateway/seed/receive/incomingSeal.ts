// A box's manifest and lists on their way to the datacentre: announced, sent in parts, compared, and only then accepted.
//
// Invariants
// - Nothing is taken that a manifest with the box's signature does not declare, and no byte more than it declares.
// - A list has its name only when all its bytes are durable and hash to what the manifest says.
// - Of seals that were not accepted only the newest keeps files.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { Width } from "../../../vault/magic.ts";
import {
  manifestHash,
  openSeedManifest,
  type SeedListName,
  type SeedManifest,
  type SeedVault,
  seedLists,
} from "../../../vault/seed/manifest.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { errnoOf, fileError, makeFolderDurably, syncDirectory, writeFileDurably } from "../../store/files.ts";
import { listPath, sealFolder } from "../listFiles.ts";

/** A list that is not whole here yet, and how much of it is. */
export type MissingList = {
  readonly vault: string;
  readonly list: SeedListName;
  readonly bytes: number;
  readonly have: number;
};

export type Announced = {
  readonly manifest: SeedManifest;
  /** SHA-256, hex. */
  readonly hash: string;
  readonly folder: string;
  readonly missing: readonly MissingList[];
};

const announcedName = "manifest.announced";

/**
 * Checks a manifest of a box and notes it; answers what of its lists is to be sent. What was accepted before is answered in the same way.
 * `turnedUp`: an administrator gives it by hand, so the first one of a box that was given up counts too.
 * @throws HoldfastError seal-invalid for another signature; forbidden for another datacentre's or box's; sequence-conflict for an older seal, or
 * another one of the same number; corrupt, unsupported, limit-exceeded, disk-full, io-error
 */
export async function announce(
  gateway: Gateway,
  box: BoxRow,
  bytes: Buffer,
  turnedUp = false,
): Promise<Announced> {
  const { manifest, hash } = checkManifest(gateway, box, bytes, turnedUp);
  const { path } = gateway.dataDir;
  const folder = sealFolder(path, box.number, manifest.seal);
  await makeFolderDurably(join(path, "seed"));
  await makeFolderDurably(dirname(folder));
  await makeFolderDurably(folder);
  for (const { id } of manifest.vaults) await makeFolderDurably(join(folder, id));
  await keepOne(folder, bytes);
  await removeOthers(box, manifest.seal, dirname(folder));
  const missing = await missingLists(folder, manifest);
  await checkRoom(gateway, missing);
  return { manifest, hash, folder, missing };
}

/** What `announce` refuses is refused; nothing is written. @throws HoldfastError as `announce`, but for the disk's */
export function checkManifest(
  gateway: Gateway,
  box: BoxRow,
  bytes: Buffer,
  turnedUp: boolean,
): Pick<Announced, "manifest" | "hash"> {
  const manifest = openSeedManifest(bytes, box.signer);
  const hash = manifestHash(bytes);
  checkOwner(gateway, box, manifest);
  checkSeal(box, manifest, hash, turnedUp);
  for (const vault of manifest.vaults) checkSizes(vault);
  return { manifest, hash };
}

function checkOwner(gateway: Gateway, box: BoxRow, manifest: SeedManifest): void {
  const { identity } = gateway.dataDir;
  if (manifest.datacentre !== identity.id || manifest.box !== box.number || manifest.id !== box.id) {
    throw new HoldfastError(
      ErrorCode.forbidden,
      "the manifest is of a box of another datacentre, or of another box",
    );
  }
  if (box.kind !== "seed") {
    throw new HoldfastError(
      ErrorCode.forbidden,
      `box ${box.number} was made to restore from: it brings nothing`,
    );
  }
  for (const { id, account } of manifest.vaults) {
    const lent = box.accounts.some((row) => row.account === account);
    if (!lent || gateway.catalog.vaults.get(id)?.account !== account) {
      throw new HoldfastError(ErrorCode.forbidden, `box ${box.number} was not made for vault ${id}`);
    }
  }
}

function checkSeal(box: BoxRow, { seal, kind }: SeedManifest, hash: string, turnedUp: boolean): void {
  const last = box.seal;
  if (last !== null && (seal < last.seal || (seal === last.seal && hash !== last.manifest))) {
    throw new HoldfastError(
      ErrorCode.sequenceConflict,
      `box ${box.number} gave manifest ${last.seal} before: number ${seal} is older, or another one of that number`,
      { detail: { seal: last.seal } },
    );
  }
  const open =
    box.state === "preparing" ||
    box.state === "prepared" ||
    box.state === "sealed" ||
    (turnedUp && box.state === "abandoned" && last === null);
  if (kind !== box.kind || (!open && seal !== last?.seal)) {
    throw new HoldfastError(
      ErrorCode.sequenceConflict,
      `box ${box.number} is ${box.state}: no new manifest counts`,
    );
  }
}

/** What cannot be, so that nobody makes us keep it. */
function checkSizes({ packs, packBytes, snapshots, chunks, lists }: SeedVault): void {
  const header = Width.seedListHeader;
  const fits =
    lists.packs.bytes === header + packs * Width.seedPackRow &&
    packBytes <= packs * limits.packBytesMax &&
    chunks <= packs * limits.packRecordsMax &&
    lists.snapshots.bytes <= header + snapshots * (Width.seedSnapshotHeader + limits.snapshotBytesMax) &&
    // Each chunk may have a group of its own.
    lists.chunks.bytes <= header + chunks * 24 &&
    lists.catalog.bytes <= limits.catalogBytesMax &&
    lists.keys.bytes <= limits.documentBytesMax;
  if (!fits) throw new HoldfastError(ErrorCode.corrupt, "the manifest's numbers do not go together");
}

/** Notes an announced manifest; lists of another one of the same number, which never counted, go. */
async function keepOne(folder: string, bytes: Buffer): Promise<void> {
  const file = join(folder, announcedName);
  const known = await readFile(file).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fileError(error, file);
  });
  if (known?.equals(bytes) === true) return;
  await writeFileDurably(file, bytes);
}

async function removeOthers(box: BoxRow, seal: number, folder: string): Promise<void> {
  const kept = [String(seal), String(box.seal?.seal ?? seal)];
  for (const name of await readdir(folder)) {
    if (/^[0-9]+$/.test(name) && !kept.includes(name))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function missingLists(folder: string, { vaults }: SeedManifest): Promise<MissingList[]> {
  const missing: MissingList[] = [];
  for (const { id, lists } of vaults) {
    for (const list of seedLists) {
      const path = listPath(folder, id, list);
      const { bytes, sha256 } = lists[list];
      if ((await sizeOf(path)) === bytes) {
        if ((await hashOf(path)) === sha256) continue;
        // Of an announcement that another one replaced, or damaged: it would pass for what is to come.
        await rm(path, { force: true });
      }
      // A stop between a list's last byte and its name.
      if ((await sizeOf(`${path}.part`)) >= bytes && (await nameList(path, sha256))) continue;
      missing.push({ vault: id, list, bytes, have: await sizeOf(`${path}.part`) });
    }
  }
  return missing;
}

async function checkRoom(gateway: Gateway, missing: readonly MissingList[]): Promise<void> {
  const { path, settings } = gateway.dataDir;
  const { bavail, bsize } = await statfs(path);
  const needed = missing.reduce((sum, { bytes, have }) => sum + bytes - have, 0);
  if (bavail * bsize >= needed + settings.reserveMiB * 2 ** 20) return;
  throw new HoldfastError(ErrorCode.diskFull, "the datacentre has no room for the lists of this box", {
    next: "Make room there, and send again.",
  });
}

/**
 * Takes the next part of a list. With its last byte the list is compared, and has its name.
 * @returns bytes that are durable
 * @throws HoldfastError not-found for what was not announced; sequence-conflict with the right offset in `detail`; corrupt where the
 * whole is not what the manifest says: then it is to be sent anew; limit-exceeded, disk-full, io-error
 */
export async function takePart(
  gateway: Gateway,
  box: BoxRow,
  place: {
    readonly seal: number;
    readonly vault: string;
    readonly list: SeedListName;
    readonly offset: number;
  },
  part: Uint8Array,
): Promise<{ bytes: number }> {
  const folder = sealFolder(gateway.dataDir.path, box.number, place.seal);
  const announced = await readFile(join(folder, announcedName)).catch(() => undefined);
  const manifest = announced && openSeedManifest(announced, box.signer);
  const declared = manifest?.vaults.find(({ id }) => id === place.vault)?.lists[place.list];
  if (declared === undefined) throw new HoldfastError(ErrorCode.notFound, "no such list was announced");
  const path = listPath(folder, place.vault, place.list);
  if ((await sizeOf(path)) === declared.bytes) return { bytes: declared.bytes };
  const have = await sizeOf(`${path}.part`);
  if (place.offset !== have) {
    throw new HoldfastError(ErrorCode.sequenceConflict, `the list goes on at ${have}`, {
      detail: { offset: have },
    });
  }
  if (have + part.length > declared.bytes) {
    throw new HoldfastError(ErrorCode.limitExceeded, "a list longer than the manifest says");
  }
  await append(`${path}.part`, part);
  if (have + part.length < declared.bytes) return { bytes: have + part.length };
  if (await nameList(path, declared.sha256)) return { bytes: declared.bytes };
  throw new HoldfastError(
    ErrorCode.corrupt,
    "the list has another hash than the manifest says: send it again",
  );
}

/** Gives a list its name, of which all parts have come; false where they are not what the manifest says: then they go. */
async function nameList(path: string, sha256: string): Promise<boolean> {
  if ((await hashOf(`${path}.part`)) !== sha256) {
    await rm(`${path}.part`, { force: true });
    return false;
  }
  // A stop may have come before the last part was durable.
  await append(`${path}.part`, Buffer.alloc(0));
  await rename(`${path}.part`, path);
  await syncDirectory(dirname(path));
  return true;
}

/** Durable when it resolves, with what was appended before. */
async function append(path: string, part: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "a", 0o600);
    try {
      await file.appendFile(part);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw fileError(error, path);
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  } catch (error) {
    // An empty list that nobody had to send.
    if (errnoOf(error) !== "ENOENT") throw fileError(error, path);
  }
  return hash.digest("hex");
}
