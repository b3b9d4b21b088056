// Writes a gateway's whole state to a replica, piece by piece from docs/format.md section 11, without the product's replicator: what
// restoring must understand stands here once more, on its own.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Gateway } from "../../../../gateway/gateway.ts";
import type { OpenVault } from "../../../../gateway/openVault.ts";
import { replicateGateway } from "../../../../gateway/replica/gatewayState/replicateGateway.ts";
import { exportVaultPart } from "../../../../gateway/replica/gatewayState/vaultPart.ts";
import { packKey, rootKey, vaultFolder } from "../../../../gateway/replica/keys.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { fromHex, toHex } from "../../../../vault/bytes.ts";
import { ManifestPageType, PackKind, Width } from "../../../../vault/magic.ts";
import { parseFooter } from "../../../../vault/pack/footer.ts";
import { encodeIndexSegment, type SegmentPack } from "../../../../vault/replica/indexSegment.ts";
import { encodeManifestPage, noPackHash, type TopRow } from "../../../../vault/replica/manifestPage.ts";
import {
  encodeRoot,
  type NamedObject,
  noPrevious,
  type Root,
  rootHash,
  vaultRootKey,
} from "../../../../vault/replica/root.ts";
import { sealCatalog, vaultCatalogKey } from "../../../../vault/replica/sealedCatalog.ts";
import { merkleOf, packHash } from "../../../../vault/replica/treeHash.ts";

export const writer = "ab".repeat(16);

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

async function put(store: ReplicaStore, key: string, bytes: Buffer): Promise<void> {
  const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
  await store.putIfAbsent(key, { bytes: bytes.length, sha256: sha256(bytes), read });
}

async function putNamed(
  store: ReplicaStore,
  folder: string,
  kind: string,
  bytes: Buffer,
): Promise<NamedObject> {
  const hash = toHex(sha256(bytes));
  const name = `${kind}/${hash}`;
  await put(store, folder + name, bytes);
  return { name, bytes: bytes.length, sha256: hash };
}

type ChainHead = { generation: number; hash: string };

/** What a chain's writer remembers between generations. */
export class ExportMemory {
  readonly heads = new Map<string, ChainHead>();
}

type Content<R> = R extends Root
  ? Omit<R, "generation" | "previous" | "writer" | "fence" | "nonce" | "time" | "features">
  : never;

async function append(
  store: ReplicaStore,
  folder: string,
  key: Buffer,
  memory: ExportMemory,
  content: Content<Root>,
): Promise<ChainHead> {
  const before = memory.heads.get(content.id);
  const generation = (before?.generation ?? 0) + 1;
  const root = {
    ...content,
    generation,
    previous: before?.hash ?? noPrevious,
    writer,
    fence: 1,
    nonce: toHex(randomBytes(16)),
    time: new Date().toISOString(),
    features: { read: [] },
  } as Root;
  const bytes = encodeRoot(root, key);
  await put(store, rootKey(folder, generation), bytes);
  const head = { generation, hash: rootHash(bytes) };
  memory.heads.set(content.id, head);
  return head;
}

/** Writes all vaults and then the gateway's state; `replica`: its id in the catalog. */
export async function exportReplica(
  gateway: Gateway,
  store: ReplicaStore,
  replica: string,
  memory = new ExportMemory(),
): Promise<void> {
  for (const row of gateway.catalog.vaults.list()) {
    const vault = await gateway.vault(row.id);
    const head = await exportVault(vault, gateway.vaultDirectory(row.id), row.metadataKey, store, memory);
    gateway.catalog.replicas.note(replica, row.id, {
      generation: head.generation,
      root: head.hash,
      fence: 1,
    });
  }
  await exportGateway(gateway, store, replica);
}

/** The gateway's own chain, as the product writes it. */
export async function exportGateway(
  gateway: Gateway,
  store: ReplicaStore,
  replica: string,
): Promise<boolean> {
  const row = gateway.catalog.replicas.get(replica);
  if (row === undefined) throw new Error("the gateway does not know the replica");
  // Lines of the audit log that come to the disk later would be a change of their own.
  await gateway.audit.flush();
  const { signal } = new AbortController();
  const options = { gateway, replica: row, store, roots: store, takeOver: false, signal };
  return (await replicateGateway(options)).appended;
}

async function exportVault(
  vault: OpenVault,
  directory: string,
  metadataKey: string,
  store: ReplicaStore,
  memory: ExportMemory,
): Promise<ChainHead> {
  const folder = vaultFolder(vault.id);
  await vault.store.closeOpenPacks();
  const packs: { name: Buffer; bytes: number; kind: PackKind }[] = [];
  const segments: SegmentPack[] = [];
  for (const pack of vault.store.packs.all()) {
    if (pack.name === undefined || pack.state !== "closed") continue;
    const bytes = await readFile(closedPackPath(directory, pack.name));
    await put(store, packKey(vault.id, pack.name), bytes);
    const name = Buffer.from(pack.name);
    packs.push({ name, bytes: bytes.length, kind: pack.kind === "data" ? PackKind.data : PackKind.metadata });
    const { trailerOffset } = parseFooter(bytes, bytes.length);
    const [header, tail] = [bytes.subarray(0, Width.packHeader), bytes.subarray(trailerOffset)];
    segments.push({ name, bytes: bytes.length, header, tail });
  }
  const segment = await putNamed(store, folder, "index", encodeIndexSegment(segments));
  const snapshots = [];
  for (const row of vault.catalog.snapshots().toReversed()) {
    const object = await readFile(join(directory, "snapshots", row.id));
    await putNamed(store, folder, "snapshots", object);
    snapshots.push({ id: fromHex(row.id), receivedMs: Date.parse(row.received), bytes: object.length });
  }
  const generation = (memory.heads.get(vault.id)?.generation ?? 0) + 1;
  const top: TopRow[] = [];
  const page = async (type: TopRow["type"], rows: number, bytes: Buffer, hash: Buffer): Promise<void> => {
    if (rows === 0) return;
    const { sha256: name } = await putNamed(store, folder, "manifest", bytes);
    top.push({ page: fromHex(name), type, rows, bytes: bytes.length, packHash: hash });
  };
  const hash = packHash(packs);
  await page(2, packs.length, encodeManifestPage(ManifestPageType.packs, generation, packs), hash);
  const list = encodeManifestPage(ManifestPageType.snapshots, generation, snapshots);
  await page(3, snapshots.length, list, noPackHash);
  const listed = { name: fromHex(segment.sha256), bytes: segment.bytes, packs: packs.length };
  const index = encodeManifestPage(ManifestPageType.segments, generation, packs.length === 0 ? [] : [listed]);
  await page(4, packs.length === 0 ? 0 : 1, index, noPackHash);
  const key = Buffer.from(metadataKey, "base64");
  const id = fromHex(vault.id);
  const keysName = `keys/${String(vault.keys.generation).padStart(8, "0")}.json`;
  const [document, keys] = [
    readFileSync(join(directory, "vault.json")),
    readFileSync(join(directory, keysName)),
  ];
  await put(store, `${folder}vault.json`, document);
  await put(store, folder + keysName, keys);
  return await append(store, folder, vaultRootKey(key, id), memory, {
    chain: "vault",
    id: vault.id,
    document: { name: "vault.json", bytes: document.length, sha256: toHex(sha256(document)) },
    keys: { name: keysName, bytes: keys.length, sha256: toHex(sha256(keys)) },
    catalog: await putNamed(
      store,
      folder,
      "catalog",
      sealCatalog(exportVaultPart(vault), vaultCatalogKey(key, id)),
    ),
    manifest: await putNamed(store, folder, "manifest", encodeManifestPage(1, generation, top)),
    packs: packs.length,
    packBytes: packs.reduce((sum, { bytes }) => sum + bytes, 0),
    snapshots: snapshots.length,
    merkle: toHex(merkleOf(packs.length === 0 ? [] : [hash])),
  });
}
