import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex } from "../../../vault/bytes.ts";
import { sealBox } from "../../../vault/keys/box.ts";
import { limits } from "../../../vault/limits.ts";
import {
  gatewayCatalogKey,
  openCatalog,
  sealCatalog,
  vaultCatalogKey,
} from "../../../vault/replica/sealedCatalog.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";
import { gatewayId, gatewaySecret, metadataKey, vaultId } from "./sampleReplica.ts";

const key = vaultCatalogKey(metadataKey, fromHex(vaultId));
const text = Buffer.from(JSON.stringify({ items: new Array(50).fill({ name: "files" }) }));
const bytes = sealCatalog(text, key);

/** A catalog with this frame that says it has so many bytes inside. */
function forged(frame: Uint8Array, length: number): Buffer {
  const header = Buffer.from("HFc1\x01\0\0\0\0\0\0\0", "latin1");
  header.writeUInt32LE(length, 8);
  return Buffer.concat([header, sealBox(key.key, key.context, frame)]);
}

test("survives, also when it is longer than other boxes may be", () => {
  expect(openCatalog(bytes, key)).toEqual(text);
  expect(bytes.length).toBeLessThan(text.length);
  expect(openCatalog(sealCatalog(Buffer.alloc(0), key), key)).toEqual(Buffer.alloc(0));
  const long = seededBytes("long", 3_000_000);
  expect(openCatalog(sealCatalog(long, key), key).equals(long)).toBe(true);
});

test("opens with its own key and in its own place only", () => {
  expect(outcome(() => openCatalog(bytes, gatewayCatalogKey(gatewaySecret, fromHex(gatewayId))))).toBe(
    "key-wrong",
  );
  expect(outcome(() => openCatalog(bytes, { ...key, context: "holdfast/catalog/other" }))).toBe(
    "seal-invalid",
  );
});

test("what is longer than it says, or than the limit, is not opened", () => {
  expect(outcome(() => openCatalog(forged(zstdCompressSync(Buffer.alloc(1000)), 999), key))).toBe("corrupt");
  expect(outcome(() => openCatalog(forged(zstdCompressSync(Buffer.alloc(1000)), 1001), key))).toBe("corrupt");
  const bomb = zstdCompressSync(Buffer.alloc(limits.catalogBytesMax + 1));
  expect(outcome(() => openCatalog(forged(bomb, 5), key))).toBe("corrupt");
  expect(outcome(() => openCatalog(forged(bomb, limits.catalogBytesMax + 1), key))).toBe("limit-exceeded");
  const twice = Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]);
  expect(outcome(() => openCatalog(forged(twice, text.length), key))).toBe("corrupt");
  expect(outcome(() => openCatalog(forged(text, text.length), key))).toBe("corrupt");
});

test("fuzz: changed bytes are refused", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      fc.pre(!other.equals(bytes));
      expect(outcome(() => openCatalog(other, key))).not.toBe("ok");
    }),
  );
});
