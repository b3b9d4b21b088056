// The independent reader reads the golden vectors of replicas.
import { expect, test } from "vitest";
import {
  gatewayRootKey,
  merkle,
  packHash,
  readCatalog,
  readPage,
  readReceipt,
  readRoot,
  readSegment,
  vaultRootKey,
} from "./replicaObjects.ts";
import { base64, bytes, vector } from "./vectorFiles.ts";

const replica = vector("replica");
const { secrets } = replica;
const metadataKey = bytes(secrets.metadataKey);
const gatewaySecret = bytes(secrets.gatewaySecret);
const text = (object: string): Uint8Array => Uint8Array.from(Buffer.from(object, "utf8"));

test("roots, and none with another key or a changed byte", () => {
  const { vault, gateway } = replica.roots;
  const vaultKey = vaultRootKey(metadataKey, bytes(secrets.vaultId));
  const gatewayKey = gatewayRootKey(gatewaySecret, bytes(secrets.gatewayId));
  expect(readRoot(text(vault.object), "vault", secrets.vaultId, 1, vaultKey)).toMatchObject(vault.fields);
  expect(readRoot(text(gateway.object), "gateway", secrets.gatewayId, 2, gatewayKey)).toMatchObject(
    gateway.fields,
  );
  expect(() => readRoot(text(vault.object), "vault", secrets.vaultId, 1, gatewayKey)).toThrow("MAC");
  const changed = vault.object.replace('"packs":2', '"packs":3');
  expect(() => readRoot(text(changed), "vault", secrets.vaultId, 1, vaultKey)).toThrow("MAC");
});

test("manifest pages", () => {
  for (const { type, generation, rows, object } of replica.pages) {
    expect(readPage(base64(object), type)).toEqual({ generation, rows });
  }
});

test("tree hashes", () => {
  for (const each of replica.merkle) {
    expect(packHash(each.packs)).toBe(each.packHash);
    expect(merkle(each.packs.map(({ name }: { name: string }) => name))).toBe(each.merkle);
  }
});

test("an index segment", () => {
  const packs = readSegment(base64(replica.segment.object));
  expect(packs.map(({ name, bytes }) => ({ name, bytes }))).toEqual(
    replica.segment.packs.map(({ name, bytes }: { name: string; bytes: number }) => ({ name, bytes })),
  );
  expect(packs.map(({ places }) => places.length)).toEqual([3, 0]);
});

test("a receipt, and none with a changed byte", () => {
  const { signer, fields, object } = replica.receipt;
  expect(readReceipt(text(object), signer)).toMatchObject(fields);
  expect(() => readReceipt(text(object.replace('"packs":2', '"packs":3')), signer)).toThrow("signature");
});

test("sealed catalogs", () => {
  const { text: plain, vault, gateway } = replica.catalogs;
  expect(readCatalog(base64(vault), metadataKey, bytes(secrets.vaultId))).toBe(plain);
  expect(readCatalog(base64(gateway), gatewaySecret, bytes(secrets.gatewayId))).toBe(plain);
});
