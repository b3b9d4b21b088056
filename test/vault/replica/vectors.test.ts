// The golden vectors of replicas: read as they were written, and written the same where nothing is compressed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { encodeIndexSegment, parseIndexSegment } from "../../../vault/replica/indexSegment.ts";
import { encodeManifestPage, parseManifestPage } from "../../../vault/replica/manifestPage.ts";
import { openReceipt, ReceiptSigner } from "../../../vault/replica/receipt.ts";
import { encodeRoot, gatewayRootKey, parseRoot, vaultRootKey } from "../../../vault/replica/root.ts";
import { gatewayCatalogKey, openCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import { merkleOf, packHash } from "../../../vault/replica/treeHash.ts";

// biome-ignore lint/suspicious/noExplicitAny: the vector is what it is; every field is compared
const vector: any = JSON.parse(readFileSync(join(import.meta.dirname, "../../vectors/replica.json"), "utf8"));
const { secrets } = vector;
const metadataKey = fromHex(secrets.metadataKey);
const gatewaySecret = fromHex(secrets.gatewaySecret);
const vaultId = fromHex(secrets.vaultId);
const gatewayId = fromHex(secrets.gatewayId);
/** Hashes in hex, as the vector has them. */
const hexed = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, field) => (field?.type === "Buffer" ? toHex(Buffer.from(field.data)) : field)),
  );

test.each(["vault", "gateway"] as const)("root of a %s", (chain) => {
  const { fields, object } = vector.roots[chain];
  const key =
    chain === "vault" ? vaultRootKey(metadataKey, vaultId) : gatewayRootKey(gatewaySecret, gatewayId);
  expect(parseRoot(Buffer.from(object), fields, key)).toEqual(fields);
  expect(encodeRoot(fields, key).toString()).toBe(object);
});

describe.each([1, 2, 3, 4, 5] as const)("manifest page of type %i", (type) => {
  test("is read and written", () => {
    const { generation, rows, object } = vector.pages[type - 1];
    const page = parseManifestPage(type, Buffer.from(object, "base64"));
    expect({ generation: page.generation, rows: hexed(page.rows) }).toEqual({ generation, rows });
    expect(encodeManifestPage(type, generation, page.rows).toString("base64")).toBe(object);
  });
});

test("tree hashes", () => {
  for (const { packs, packHash: hash, merkle } of vector.merkle) {
    const rows = packs.map(({ name, bytes }: { name: string; bytes: number }) => ({
      name: fromHex(name),
      bytes,
    }));
    expect(toHex(packHash(rows))).toBe(hash);
    expect(toHex(merkleOf(rows.map(({ name }: { name: Buffer }) => name)))).toBe(merkle);
  }
});

test("index segment", () => {
  const packs = parseIndexSegment(Buffer.from(vector.segment.object, "base64"));
  expect(hexed(packs)).toEqual(vector.segment.packs);
  expect(encodeIndexSegment(packs).toString("base64")).toBe(vector.segment.object);
});

test("receipt", () => {
  const { seed, signer, fields, object } = vector.receipt;
  expect(openReceipt(Buffer.from(object), signer)).toEqual({ ...fields, signer });
  expect(new ReceiptSigner(fromHex(seed)).sign(fields).toString()).toBe(object);
});

test("sealed catalogs", () => {
  const { text, vault, gateway } = vector.catalogs;
  expect(openCatalog(Buffer.from(vault, "base64"), vaultCatalogKey(metadataKey, vaultId)).toString()).toBe(
    text,
  );
  const key = gatewayCatalogKey(gatewaySecret, gatewayId);
  expect(openCatalog(Buffer.from(gateway, "base64"), key).toString()).toBe(text);
});
