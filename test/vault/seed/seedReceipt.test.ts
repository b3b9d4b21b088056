import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { encodeProvenLine } from "../../../vault/replica/provenLine.ts";
import { openSeedReceipt, type SeedReceipt, signSeedReceipt } from "../../../vault/seed/seedReceipt.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";

const key = new SigningKey(seededBytes("vector receipt seed", 32));
const receipt: SeedReceipt = {
  ...{
    box: 7,
    id: "22".repeat(16),
    seal: 2,
    manifest: "ab".repeat(32),
    packs: 1200,
    packBytes: 39_000_000_000,
  },
  ...{ taken: 1100, present: 98, needs: 12, snapshots: 3, whole: 2, time: "2026-11-25T22:00:00.000Z" },
};
const bytes = signSeedReceipt(receipt, key);

test("survives; another signer's is refused", () => {
  expect(openSeedReceipt(bytes, key.publicKey)).toEqual(receipt);
  const other = new SigningKey(seededBytes("other", 32));
  expect(outcome(() => openSeedReceipt(bytes, other.publicKey))).toBe("seal-invalid");
});

test("golden vector", () => {
  const path = join(import.meta.dirname, "..", "..", "vectors", "seed-receipt.json");
  const vector = JSON.parse(readFileSync(path, "utf8")) as { signer: string; object: string };
  expect(vector.signer).toBe(key.publicKey);
  expect(openSeedReceipt(Buffer.from(vector.object), vector.signer)).toEqual(receipt);
  expect(bytes.toString()).toBe(vector.object);
});

test("fuzz: changed bytes never pass the signature", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      fc.pre(!other.equals(bytes));
      expect(outcome(() => openSeedReceipt(other, key.publicKey))).not.toBe("ok");
    }),
  );
});

test("fuzz: any signed document is read or refused", () => {
  fc.assert(
    fc.property(damagedJson({ format: "holdfast-seed-receipt", version: 1, ...receipt }), (text) => {
      const document = JSON.parse(text === "" ? "{}" : text) as object | null;
      const signed = encodeProvenLine({ ...document, signer: key.publicKey }, (line) => key.sign(line));
      outcome(() => openSeedReceipt(signed, key.publicKey));
    }),
  );
});
