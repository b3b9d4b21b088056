import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveLogin } from "../../../vault/keys/kdf.ts";
import {
  boxDatabaseKey,
  boxRecoveryKey,
  createBoxDocument,
  formatBoxDocument,
  openBoxKey,
  openBoxKeyAtDatacentre,
  openBoxSecrets,
  parseBoxDocument,
  sealBoxSecrets,
} from "../../../vault/seed/boxDocument.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome, outcomeAsync } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";
import { boxId, boxKey, facts, unlockKey } from "./sampleSeed.ts";

const kdf = { suite: 1, iterations: 210_000, salt: seededBytes("seed salt", 32).toString("base64") } as const;
const { r } = await deriveLogin("correct horse", { ...kdf, salt: Buffer.from(kdf.salt, "base64") });
const document = createBoxDocument(facts, boxKey, kdf, r);
const bytes = formatBoxDocument(document);

test("survives, and opens with the passphrase and at the datacentre", async () => {
  const read = parseBoxDocument(bytes);
  expect(read).toEqual(document);
  expect(await openBoxKey(read, "correct horse")).toEqual(boxKey);
  expect(openBoxKeyAtDatacentre(read, unlockKey)).toEqual(boxKey);
});

test("another passphrase, another datacentre and another box's wrap are told apart", async () => {
  expect(await outcomeAsync(openBoxKey(document, "correct horsf"))).toBe("key-wrong");
  expect(outcome(() => openBoxKeyAtDatacentre(document, seededBytes("other", 32)))).toBe("key-wrong");
  const moved = { ...document, id: "0".repeat(32) };
  expect(await outcomeAsync(openBoxKey(moved, "correct horse"))).toBe("seal-invalid");
  const weak = { ...document, key: { ...document.key, kdf: { ...kdf, iterations: 1000 } } };
  expect(await outcomeAsync(openBoxKey(weak, "correct horse"))).toBe("kdf-weak");
});

test("every key that comes of the box key is another one", () => {
  const keys = [
    boxRecoveryKey(boxKey, boxId).toString("base64"),
    boxDatabaseKey(boxKey, boxId, "catalog"),
    boxDatabaseKey(boxKey, boxId, "vaults/1/index"),
    boxDatabaseKey(boxKey, "0".repeat(32), "catalog"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys[1]).toHaveLength(32);
});

test("secrets open with the box key alone", () => {
  const sealed = sealBoxSecrets(boxKey, boxId, Buffer.from("{}"));
  expect(openBoxSecrets(boxKey, boxId, sealed).toString()).toBe("{}");
  expect(outcome(() => openBoxSecrets(seededBytes("other", 32), boxId, sealed))).toBe("key-wrong");
  sealed[sealed.length - 1]! ^= 1;
  expect(outcome(() => openBoxSecrets(boxKey, boxId, sealed))).toBe("seal-invalid");
});

test.each<[string, Record<string, unknown>, string]>([
  ["format", { format: "other" }, "corrupt"],
  ["version", { version: 2 }, "unsupported"],
  ["kind", { kind: "trunk" }, "unsupported"],
  ["number", { box: 0 }, "corrupt"],
  ["number that is too high", { box: 65_536 }, "limit-exceeded"],
  ["id", { id: "12" }, "corrupt"],
  ["key", { key: null }, "corrupt"],
  ["datacentre", { datacentre: {} }, "corrupt"],
])("refuses a bad %s", (_, change, code) => {
  const json = { ...(JSON.parse(bytes.toString()) as object), ...change };
  expect(outcome(() => parseBoxDocument(Buffer.from(JSON.stringify(json))))).toBe(code);
});

test("fuzz: bytes and members of any kind are read or refused", () => {
  const codes = ["ok", "corrupt", "unsupported", "limit-exceeded"];
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      expect(codes).toContain(outcome(() => parseBoxDocument(other)));
    }),
  );
  fc.assert(
    fc.property(damagedJson(JSON.parse(bytes.toString())), (text) => {
      expect(codes).toContain(outcome(() => parseBoxDocument(Buffer.from(text))));
    }),
  );
});
