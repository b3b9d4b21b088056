// A vault's chain of roots with fixed content, put into a store as its writer would: packs, then what is about them, then the root.

import { createHash } from "node:crypto";
import { namedKey, packKey, rootKey, vaultFolder } from "../../../gateway/replica/keys.ts";
import type { ReplicaStore } from "../../../gateway/replica/replicaStore.ts";
import { toHex } from "../../../vault/bytes.ts";
import { DoomedClass, ManifestPageType, PackKind } from "../../../vault/magic.ts";
import { encodeManifestPage, noPackHash, type TopRow } from "../../../vault/replica/manifestPage.ts";
import {
  encodeRoot,
  noPrevious,
  rootHash,
  type VaultRoot,
  vaultRootKey,
} from "../../../vault/replica/root.ts";
import { merkleOf, packHash } from "../../../vault/replica/treeHash.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { seededBytes } from "../../vault/seeded.ts";

export const vault: string = toHex(seededBytes("peer vault", 16));
export const chain: string = vaultFolder(vault);
export const replica: string = toHex(seededBytes("peer replica", 16));
const rootMacKey = vaultRootKey(seededBytes("peer metadata key", 32), Buffer.from(vault, "hex"));

const hashOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** What a generation lists. Packs and snapshots are named by labels, from which their bytes follow. */
export type Generation = {
  readonly generation: number;
  readonly previous?: string;
  readonly packs: readonly string[];
  readonly snapshots?: readonly string[];
  readonly doomed?: readonly string[];
  /** Instead of the true one. */
  readonly merkle?: string;
  /** Another root of the same content. */
  readonly nonce?: string;
};

export type WrittenRoot = {
  readonly root: VaultRoot;
  readonly object: Buffer;
  readonly sha256: string;
  readonly manifestKey: string;
};

export function packBytes(label: string): Buffer {
  return seededBytes(`pack ${label}`, 20_000);
}

export function keyOfPack(label: string): string {
  return packKey(vault, hashOf(packBytes(label)));
}

export function snapshotId(label: string): string {
  return toHex(hashOf(snapshotBytes(label)));
}

function snapshotBytes(label: string): Buffer {
  return seededBytes(`snapshot ${label}`, 600);
}

/** Puts everything of a generation; with `leaveOut`, not those packs. Answers what was written. */
export async function putGeneration(
  store: ReplicaStore,
  given: Generation,
  leaveOut: readonly string[] = [],
): Promise<WrittenRoot> {
  const { generation, packs, snapshots = [], doomed = [] } = given;
  const put = (key: string, bytes: Uint8Array) => store.putIfAbsent(key, sourceOf(bytes));
  for (const label of packs) {
    if (!leaveOut.includes(label)) await put(keyOfPack(label), packBytes(label));
  }
  const segment = seededBytes(`segment of ${generation}`, 300);
  await put(namedKey(chain, "index", hashOf(segment)), segment);
  for (const label of snapshots) {
    await put(namedKey(chain, "snapshots", hashOf(snapshotBytes(label))), snapshotBytes(label));
  }
  const documents = {
    document: seededBytes("document", 200),
    keys: seededBytes("keys", 300),
    catalog: seededBytes("catalog", 400),
  };
  await put(`${chain}vault.json`, documents.document);
  await put(`${chain}keys/00000001.json`, documents.keys);
  await put(namedKey(chain, "catalog", hashOf(documents.catalog)), documents.catalog);

  const packRows = packs.map((label) => ({
    name: hashOf(packBytes(label)),
    bytes: packBytes(label).length,
    kind: PackKind.data,
  }));
  const pages: [TopRow["type"], Buffer, number][] = [];
  const add = (type: TopRow["type"], page: Buffer, rows: number) => {
    if (rows > 0) pages.push([type, page, rows]);
  };
  add(2, encodeManifestPage(ManifestPageType.packs, generation, packRows), packRows.length);
  const snapshotRows = snapshots.map((label) => ({
    id: hashOf(snapshotBytes(label)),
    receivedMs: 1,
    bytes: 600,
  }));
  add(3, encodeManifestPage(ManifestPageType.snapshots, generation, snapshotRows), snapshotRows.length);
  const segmentRows = [{ name: hashOf(segment), bytes: 300, packs: 1 }];
  add(4, encodeManifestPage(ManifestPageType.segments, generation, segmentRows), 1);
  const doomedRows = doomed.map((label) => ({
    name: hashOf(packBytes(label)),
    generation,
    class: DoomedClass.pack,
  }));
  add(5, encodeManifestPage(ManifestPageType.doomed, generation, doomedRows), doomedRows.length);
  const top = encodeManifestPage(
    ManifestPageType.top,
    generation,
    pages.map(([type, page, rows]) => ({
      page: hashOf(page),
      type,
      rows,
      bytes: page.length,
      packHash: type === 2 ? packHash(packRows) : noPackHash,
    })),
  );
  for (const page of [...pages.map(([, page]) => page), top]) {
    await put(namedKey(chain, "manifest", hashOf(page)), page);
  }
  const root: VaultRoot = {
    chain: "vault",
    id: vault,
    generation,
    previous:
      given.previous ??
      (generation === 1 ? noPrevious : toHex(hashOf(Buffer.from(`root ${generation - 1}`)))),
    writer: toHex(seededBytes("peer writer", 16)),
    fence: 1,
    nonce: given.nonce ?? toHex(seededBytes(`nonce ${generation}`, 16)),
    time: "2026-11-25T20:00:00Z",
    features: { read: [] },
    document: { name: "vault.json", bytes: 200, sha256: toHex(hashOf(documents.document)) },
    keys: { name: "keys/00000001.json", bytes: 300, sha256: toHex(hashOf(documents.keys)) },
    catalog: {
      name: `catalog/${toHex(hashOf(documents.catalog))}`,
      bytes: 400,
      sha256: toHex(hashOf(documents.catalog)),
    },
    manifest: { name: `manifest/${toHex(hashOf(top))}`, bytes: top.length, sha256: toHex(hashOf(top)) },
    packs: packs.length,
    packBytes: packRows.reduce((sum, { bytes }) => sum + bytes, 0),
    snapshots: snapshots.length,
    merkle: given.merkle ?? toHex(merkleOf(packs.length === 0 ? [] : [packHash(packRows)])),
  };
  const object = encodeRoot(root, rootMacKey);
  await put(rootKey(chain, generation), object);
  return { root, object, sha256: rootHash(object), manifestKey: namedKey(chain, "manifest", hashOf(top)) };
}
