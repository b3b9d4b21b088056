// Makes the golden vectors of replicas, once: `node test/vectors/makeReplica.ts`. It refuses to overwrite: a new form gets a new file.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { DoomedClass, ManifestPageType, PackKind } from "../../vault/magic.ts";
import { encodeIndexSegment } from "../../vault/replica/indexSegment.ts";
import { encodeManifestPage, noPackHash } from "../../vault/replica/manifestPage.ts";
import { ReceiptSigner } from "../../vault/replica/receipt.ts";
import { encodeRoot, gatewayRootKey, vaultRootKey } from "../../vault/replica/root.ts";
import { gatewayCatalogKey, sealCatalog, vaultCatalogKey } from "../../vault/replica/sealedCatalog.ts";
import { merkleOf, packHash } from "../../vault/replica/treeHash.ts";
import { seededBytes, seededId } from "../vault/seeded.ts";
import {
  gatewayId,
  gatewayRoot,
  gatewaySecret,
  metadataKey,
  receipt,
  segmentPack,
  vaultId,
  vaultRoot,
} from "../vault/replica/sampleReplica.ts";

const packs = Array.from({ length: 5 }, (_, i) => ({
  name: seededId(`vector pack ${i}`),
  bytes: 33_000_000 + i,
  kind: i === 4 ? PackKind.metadata : PackKind.data,
}));
const snapshots = [{ id: seededId("vector snapshot"), receivedMs: 1_790_000_000_000, bytes: 900 }];
const segments = [{ name: seededId("vector segment"), bytes: 5000, packs: 5 }];
const doomed = [{ name: seededId("vector doomed"), generation: 3, class: DoomedClass.manifestPage }];
const pages = [
  { page: seededId("vector page 1"), type: 2 as const, rows: 4096, bytes: 24 + 4096 * 48, packHash: seededId("h") },
  { page: seededId("vector page 2"), type: 2 as const, rows: 5, bytes: 24 + 5 * 48, packHash: packHash(packs) },
  { page: seededId("vector page 3"), type: 3 as const, rows: 1, bytes: 72, packHash: noPackHash },
];
const hexed = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, field) => (field?.type === "Buffer" ? toHex(Buffer.from(field.data)) : field)));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const segmentPacks = [segmentPack("vector one", 3), segmentPack("vector two", 0)];
const seed = seededBytes("vector receipt seed", 32);
const signer = new ReceiptSigner(seed);
const text = Buffer.from(JSON.stringify({ format: "vector", items: new Array(20).fill("files") }));
const vaultKey = vaultCatalogKey(metadataKey, fromHex(vaultId));
const gatewayKey = gatewayCatalogKey(gatewaySecret, fromHex(gatewayId));

const vectors = {
  about: "Objects of a replica. Hashes and keys are hex, objects base64; roots and receipts are text.",
  secrets: { metadataKey: toHex(metadataKey), gatewaySecret: toHex(gatewaySecret), vaultId, gatewayId },
  roots: {
    vault: { fields: vaultRoot, object: encodeRoot(vaultRoot, vaultRootKey(metadataKey, fromHex(vaultId))).toString() },
    gateway: {
      fields: gatewayRoot,
      object: encodeRoot(gatewayRoot, gatewayRootKey(gatewaySecret, fromHex(gatewayId))).toString(),
    },
  },
  pages: [
    { type: 1, generation: 9, rows: hexed(pages), object: base64(encodeManifestPage(ManifestPageType.top, 9, pages)) },
    { type: 2, generation: 8, rows: hexed(packs), object: base64(encodeManifestPage(ManifestPageType.packs, 8, packs)) },
    { type: 3, generation: 7, rows: hexed(snapshots), object: base64(encodeManifestPage(ManifestPageType.snapshots, 7, snapshots)) },
    { type: 4, generation: 6, rows: hexed(segments), object: base64(encodeManifestPage(ManifestPageType.segments, 6, segments)) },
    { type: 5, generation: 5, rows: hexed(doomed), object: base64(encodeManifestPage(ManifestPageType.doomed, 5, doomed)) },
  ],
  merkle: Array.from({ length: 8 }, (_, count) => ({
    packs: hexed(packs.slice(0, count).map(({ name, bytes }) => ({ name, bytes }))),
    packHash: toHex(packHash(packs.slice(0, count))),
    merkle: toHex(merkleOf(packs.slice(0, count).map(({ name }) => name))),
  })).slice(0, 6),
  segment: { packs: hexed(segmentPacks), object: base64(encodeIndexSegment(segmentPacks)) },
  receipt: { seed: toHex(seed), signer: signer.publicKey, fields: receipt, object: signer.sign(receipt).toString() },
  catalogs: {
    text: text.toString(),
    vault: base64(sealCatalog(text, vaultKey, seededBytes("vector salt 1", 32))),
    gateway: base64(sealCatalog(text, gatewayKey, seededBytes("vector salt 2", 32))),
  },
};

const path = join(import.meta.dirname, "replica.json");
if (existsSync(path)) throw new Error(`${path} exists: golden vectors are made once`);
writeFileSync(path, `${JSON.stringify(vectors, null, 1)}\n`);
