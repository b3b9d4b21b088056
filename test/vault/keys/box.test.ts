import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import {
  boxOverhead,
  generateKeyPair,
  openBox,
  openPublicBox,
  publicBoxOverhead,
  publicKeyOf,
  sealBox,
  sealPublicBox,
  sharedSecret,
} from "../../../vault/keys/box.ts";
import { nobleBox, nobleDerive } from "../nobleSeal.ts";
import { bytesOf, mutated, outcome } from "../sampleVault.ts";

const context = "holdfast/test";

describe("X25519: RFC 7748", () => {
  test("section 5.2", () => {
    const scalar = fromHex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const u = fromHex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    expect(toHex(sharedSecret(scalar, u))).toBe(
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    );
  });

  test("section 6.1", () => {
    const alice = fromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const bob = fromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    expect(toHex(publicKeyOf(alice))).toBe(
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    );
    expect(toHex(publicKeyOf(bob))).toBe("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    expect(toHex(sharedSecret(alice, publicKeyOf(bob)))).toBe(shared);
    expect(toHex(sharedSecret(bob, publicKeyOf(alice)))).toBe(shared);
  });

  test("public keys that make the secret all zero are refused", () => {
    const small = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ];
    for (const key of small) {
      expect(outcome(() => sharedSecret(bytesOf("private", 32), fromHex(key)))).toBe("corrupt");
      expect(outcome(() => sealPublicBox(fromHex(key), context, Buffer.alloc(16)))).toBe("corrupt");
    }
  });
});

describe("box", () => {
  test("survives and agrees with the independent implementation", () => {
    const bytes = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(
        bytes,
        fc.string(),
        bytes,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (kek, place, secret, salt) => {
          const box = sealBox(kek, place, secret, salt);
          expect(box.equals(nobleBox(kek, place, secret, salt))).toBe(true);
          expect(box.length).toBe(secret.length + boxOverhead);
          expect(openBox(kek, place, box).equals(secret)).toBe(true);
        },
      ),
    );
  });

  const kek = bytesOf("kek", 24);
  const box = sealBox(kek, context, bytesOf("secret", 16));

  test("tells a wrong key from damage and from another place", () => {
    expect(outcome(() => openBox(bytesOf("other", 24), context, box))).toBe("key-wrong");
    expect(outcome(() => openBox(kek, `${context}/2`, box))).toBe("seal-invalid");
    expect(outcome(() => openBox(kek, context, box.subarray(0, boxOverhead - 1)))).toBe("truncated");
    expect(outcome(() => openBox(kek, context, Buffer.alloc((1 << 20) + 1)))).toBe("limit-exceeded");
  });

  test("every flipped byte and every truncation is refused", () => {
    for (let at = 0; at < box.length; at++) {
      const altered = Buffer.from(box);
      altered[at]! ^= 1;
      // Salt and commitment decide about the key, the rest about the content.
      expect(outcome(() => openBox(kek, context, altered))).toBe(at < 64 ? "key-wrong" : "seal-invalid");
      expect(outcome(() => openBox(kek, context, box.subarray(0, at)))).not.toBe("ok");
    }
  });

  test("random and mutated boxes are refused in a typed way", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated(box)), (bytes) => {
        if (outcome(() => openBox(kek, context, bytes)) === "ok") expect(box.equals(bytes)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("public box", () => {
  const { privateKey, publicKey } = generateKeyPair();
  const box = sealPublicBox(publicKey, context, bytesOf("secret", 16));

  test("opens with the private key only", () => {
    expect(box.length).toBe(16 + publicBoxOverhead);
    expect(openPublicBox(privateKey, publicKey, context, box)).toEqual(bytesOf("secret", 16));
    const other = generateKeyPair();
    expect(outcome(() => openPublicBox(other.privateKey, other.publicKey, context, box))).toBe("key-wrong");
    expect(outcome(() => openPublicBox(privateKey, other.publicKey, context, box))).toBe("key-wrong");
    expect(outcome(() => openPublicBox(privateKey, publicKey, "elsewhere", box))).toBe("seal-invalid");
  });

  test("is the box of the format under the derived key", () => {
    const fixed = { ephemeralPrivate: bytesOf("ephemeral", 32), salt: bytesOf("salt", 32) };
    const made = sealPublicBox(publicKey, context, bytesOf("secret", 16), fixed);
    const ephemeralPublic = publicKeyOf(fixed.ephemeralPrivate);
    const salt = Buffer.concat([ephemeralPublic, publicKey]);
    const kek = nobleDerive(sharedSecret(privateKey, ephemeralPublic), salt, "holdfast x25519 v1");
    const expected = Buffer.concat([
      ephemeralPublic,
      nobleBox(kek, context, bytesOf("secret", 16), fixed.salt),
    ]);
    expect(made.equals(expected)).toBe(true);
  });

  test("every flipped byte is refused", () => {
    for (let at = 0; at < box.length; at++) {
      // X25519 ignores the highest bit of a public key, but the key is part of the derivation.
      for (const bit of [1, 0x80]) {
        const altered = Buffer.from(box);
        altered[at]! ^= bit;
        expect(outcome(() => openPublicBox(privateKey, publicKey, context, altered))).not.toBe("ok");
      }
    }
    expect(outcome(() => openPublicBox(privateKey, publicKey, context, box.subarray(0, 40)))).toBe(
      "truncated",
    );
  });

  test("keys of other lengths are programming errors", () => {
    expect(() => publicKeyOf(Buffer.alloc(31))).toThrow(RangeError);
    expect(() => sharedSecret(privateKey, Buffer.alloc(33))).toThrow(RangeError);
  });
});
