import { hkdfSync, pbkdf2Sync } from "node:crypto";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../vault/bytes.ts";
import { hkdf } from "../../../vault/keys/hkdf.ts";
import { deriveLogin, type KdfParameters } from "../../../vault/keys/kdf.ts";
import { limits } from "../../../vault/limits.ts";
import { bytesOf } from "../sampleVault.ts";

const kdf: KdfParameters = { suite: 1, iterations: limits.kdfIterationsMin, salt: bytesOf("salt", 32) };

describe("HKDF-SHA-256: RFC 5869, appendix A", () => {
  const range = (from: number, to: number) =>
    Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  test.each([
    [
      Buffer.alloc(22, 0x0b),
      range(0, 0x0c),
      range(0xf0, 0xf9),
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
      range(0, 0x4f),
      range(0x60, 0xaf),
      range(0xb0, 0xff),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09" +
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ],
    [
      Buffer.alloc(22, 0x0b),
      Buffer.alloc(0),
      Buffer.alloc(0),
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
  ])("case %#", (ikm, salt, info, okm) => {
    expect(toHex(hkdf(ikm, salt, info, okm.length / 2))).toBe(okm);
  });

  test("the result is in memory of its own", () => {
    expect(hkdf(kdf.salt, kdf.salt, "x", 32).buffer.byteLength).toBe(32);
    expect(hkdfSync("sha256", kdf.salt, kdf.salt, "x", 32).byteLength).toBe(32);
  });
});

// RFC 7914 section 11 has PBKDF2 vectors for SHA-256 only; those for SHA-512 are the widely published ones over the inputs of RFC 6070.
test.each([
  [
    "password",
    "salt",
    1,
    "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252" +
      "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
  ],
  [
    "password",
    "salt",
    4096,
    "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5" +
      "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5",
  ],
  [
    "passwordPASSWORDpassword",
    "saltSALTsaltSALTsaltSALTsaltSALTsalt",
    4096,
    "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71" +
      "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8",
  ],
])("PBKDF2-HMAC-SHA512 of %s, %s, %d", (password, salt, iterations, expected) => {
  expect(toHex(pbkdf2Sync(password, salt, iterations, 64, "sha512"))).toBe(expected);
  expect(toHex(pbkdf2(sha512, password, salt, { c: iterations, dkLen: 64 }))).toBe(expected);
});

test("PBKDF2-HMAC-SHA256: RFC 7914, section 11", () => {
  expect(toHex(pbkdf2Sync("passwd", "salt", 1, 64, "sha256"))).toBe(
    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" +
      "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
  );
});

describe("deriveLogin", () => {
  test("is PBKDF2 split in two, as the independent implementation has it", async () => {
    const { l, r } = await deriveLogin("correct horse", kdf);
    const both = pbkdf2(sha512, "correct horse", kdf.salt, { c: kdf.iterations, dkLen: 48 });
    expect(toHex(l) + toHex(r)).toBe(toHex(both));
    expect([l.length, r.length]).toEqual([24, 24]);
  });

  test("passwords that look the same are the same", async () => {
    const composed = await deriveLogin("caf\u00e9", kdf);
    const decomposed = await deriveLogin("cafe\u0301", kdf);
    expect(composed.r.equals(decomposed.r)).toBe(true);
    expect(composed.r.equals((await deriveLogin("cafe", kdf)).r)).toBe(false);
  });

  test.each<[string, Partial<Record<keyof KdfParameters, unknown>>, { iterationsMin?: number }, string]>([
    ["iterations below the floor", { iterations: limits.kdfIterationsMin - 1 }, {}, "kdf-weak"],
    ["a floor that the caller tries to lower", { iterations: 1 }, { iterationsMin: 1 }, "kdf-weak"],
    ["iterations below what was pinned", {}, { iterationsMin: 600_000 }, "kdf-weak"],
    ["no number", { iterations: Number.NaN }, {}, "kdf-weak"],
    [
      "iterations that would take for ever",
      { iterations: limits.kdfIterationsMax + 1 },
      {},
      "limit-exceeded",
    ],
    ["another suite", { suite: 2 }, {}, "unsupported"],
    ["a short salt", { salt: Buffer.alloc(16) }, {}, "corrupt"],
  ])("refuses %s", async (_, change, options, code) => {
    await expect(deriveLogin("x", { ...kdf, ...change } as KdfParameters, options)).rejects.toMatchObject({
      code,
    });
  });

  test("refuses text that has no UTF-8", async () => {
    await expect(deriveLogin("x\ud800", kdf)).rejects.toMatchObject({ code: "usage" });
  });
});
