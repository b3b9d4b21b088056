import fc from "fast-check";
import { expect, test } from "vitest";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { boxCode } from "../../../vault/seed/boxCode.ts";
import {
  claimedManifest,
  manifestHash,
  openSeedManifest,
  signSeedManifest,
} from "../../../vault/seed/manifest.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";
import { manifest, signer } from "./sampleSeed.ts";

const bytes = signSeedManifest(manifest, signer);

test("survives, and says what it claims before it is proven", () => {
  expect(openSeedManifest(bytes, signer.publicKey)).toEqual(manifest);
  expect(claimedManifest(bytes)).toEqual(manifest);
});

test("another signer's is refused, also where it says that it is ours", () => {
  const other = new SigningKey(seededBytes("other", 32));
  expect(outcome(() => openSeedManifest(bytes, other.publicKey))).toBe("seal-invalid");
  expect(outcome(() => openSeedManifest(signSeedManifest(manifest, other), signer.publicKey))).toBe(
    "seal-invalid",
  );
  const text = bytes.toString().replace('"seal":2', '"seal":3');
  expect(outcome(() => openSeedManifest(Buffer.from(text), signer.publicKey))).toBe("seal-invalid");
});

test.each<[string, object, string]>([
  ["seal", { seal: 0 }, "corrupt"],
  ["kind", { kind: "x" }, "unsupported"],
  ["vault twice", { vaults: [manifest.vaults[0], manifest.vaults[0]] }, "corrupt"],
  ["list", { vaults: [{ ...manifest.vaults[0], lists: {} }] }, "corrupt"],
  ["count", { vaults: [{ ...manifest.vaults[0], packs: -1 }] }, "corrupt"],
])("refuses a bad %s", (_, change, code) => {
  const bad = signSeedManifest({ ...manifest, ...change } as typeof manifest, signer);
  expect(outcome(() => openSeedManifest(bad, signer.publicKey))).toBe(code);
});

test("fuzz: any bytes are what they are or refused", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      const result = outcome(() => openSeedManifest(other, signer.publicKey));
      if (result === "ok") expect(other).toEqual(bytes);
    }),
  );
  fc.assert(
    fc.property(damagedJson(JSON.parse(bytes.toString().split("\n")[0]!)), (text) => {
      const lines = Buffer.from(`${text}\n${"0".repeat(128)}\n`);
      expect(["ok", "corrupt", "unsupported", "limit-exceeded"]).toContain(
        outcome(() => claimedManifest(lines)),
      );
    }),
  );
});

test("the code is made of number and hash", () => {
  expect(boxCode(7, "00".repeat(32))).toBe("HFB-7-0000-0000");
  expect(boxCode(7, "ff".repeat(32))).toBe("HFB-7-ZZZZ-ZZZZ");
  expect(boxCode(12, manifestHash(bytes))).toMatch(/^HFB-12-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
});
