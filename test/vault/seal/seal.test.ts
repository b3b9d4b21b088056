import { createCipheriv } from "node:crypto";
import { poly1305 } from "@noble/ciphers/_poly1305.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { hchacha20 } from "../../../vault/seal/hchacha20.ts";
import { openBody, sealInto } from "../../../vault/seal/seal.ts";
import { nobleHchacha20, nobleSeal } from "../nobleSeal.ts";
import { outcome } from "../sampleVault.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

function seal(
  keys: { encKey: Uint8Array; macKey: Uint8Array },
  iv: Uint8Array,
  header: Uint8Array,
  plainLength: number,
  payload: Uint8Array,
): Buffer {
  const out = Buffer.alloc(header.length + 4 + payload.length + 16);
  out.set(header);
  sealInto(keys, iv, out, header.length, plainLength, payload);
  return out;
}

describe("published vectors", () => {
  test("HChaCha20: draft-irtf-cfrg-xchacha-03, section 2.2.1", () => {
    const key = fromHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    const nonce = fromHex("000000090000004a0000000031415927");
    expect(toHex(hchacha20(key, nonce))).toBe(
      "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
    );
  });

  test("Poly1305 of the independent implementation: RFC 8439, section 2.5.2", () => {
    const key = fromHex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
    const tag = poly1305(Buffer.from("Cryptographic Forum Research Group"), key);
    expect(toHex(tag)).toBe("a8061dc1305136c6c22b8baf0c0127a9");
  });

  test("AEAD_CHACHA20_POLY1305 of both implementations: RFC 8439, section 2.8.2", () => {
    const key = fromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    const nonce = fromHex("070000004041424344454647");
    const aad = fromHex("50515253c0c1c2c3c4c5c6c7");
    const plaintext = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: plaintext.length });
    const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    expect(toHex(sealed.subarray(-16))).toBe("1ae10b594f09e26a7e902ecbd0600691");
    expect(toHex(chacha20poly1305(key, nonce, aad).encrypt(plaintext))).toBe(toHex(sealed));
  });

  test("AES-256-CTR as the seal uses it: NIST SP 800-38A, F.5.5", () => {
    const encKey = fromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    const iv = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    const plaintext = fromHex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    // The plain length field is the first word of what is encrypted.
    const sealed = seal(
      { encKey, macKey: encKey },
      iv,
      Buffer.alloc(0),
      plaintext.readUInt32LE(0),
      plaintext.subarray(4),
    );
    expect(toHex(sealed.subarray(0, 64))).toBe(
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5" +
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    );
  });
});

describe("against the independent implementation", () => {
  test("HChaCha20 agrees", () => {
    fc.assert(
      fc.property(bytes32, bytes16, (key, nonce) => {
        expect(toHex(hchacha20(key, nonce))).toBe(toHex(nobleHchacha20(key, nonce)));
      }),
    );
  });

  test("sealed bytes agree and open", () => {
    const bytes = fc.uint8Array({ maxLength: 3000 });
    fc.assert(
      fc.property(
        bytes32,
        bytes32,
        bytes16,
        bytes,
        bytes,
        fc.nat(),
        (encKey, macKey, iv, header, payload, length) => {
          const keys = { encKey, macKey };
          const sealed = seal(keys, iv, header, length, payload);
          expect(sealed.equals(nobleSeal(keys, iv, header, length, payload))).toBe(true);
          const opened = openBody(keys, iv, sealed, header.length);
          expect(opened.plainLength).toBe(length);
          expect(opened.payload.equals(payload)).toBe(true);
        },
      ),
    );
  });

  test("a counter block that overflows carries over all 16 bytes", () => {
    const keys = { encKey: Buffer.alloc(32, 7), macKey: Buffer.alloc(32, 8) };
    const iv = Buffer.alloc(16, 0xff);
    const payload = Buffer.alloc(100, 1);
    expect(seal(keys, iv, Buffer.from("h"), 100, payload)).toEqual(
      nobleSeal(keys, iv, Buffer.from("h"), 100, payload),
    );
  });
});

test("every byte, the key and the IV are protected", () => {
  const keys = { encKey: Buffer.alloc(32, 7), macKey: Buffer.alloc(32, 8) };
  const iv = Buffer.alloc(16, 9);
  const sealed = seal(keys, iv, Buffer.from("header"), 5, Buffer.from("plain"));
  for (let at = 0; at < sealed.length; at++) {
    const altered = Buffer.from(sealed);
    altered[at]! ^= 1;
    expect(outcome(() => openBody(keys, iv, altered, 6))).toBe("seal-invalid");
  }
  expect(outcome(() => openBody({ ...keys, macKey: keys.encKey }, iv, sealed, 6))).toBe("seal-invalid");
  expect(outcome(() => openBody(keys, Buffer.alloc(16), sealed, 6))).toBe("seal-invalid");
  expect(outcome(() => openBody(keys, iv, sealed.subarray(0, 25), 6))).toBe("truncated");
});

test("lengths that the caller got wrong are programming errors", () => {
  const keys = { encKey: Buffer.alloc(32), macKey: Buffer.alloc(32) };
  expect(() => sealInto(keys, Buffer.alloc(16), Buffer.alloc(10), 0, 0, Buffer.alloc(0))).toThrow(RangeError);
  expect(() => hchacha20(Buffer.alloc(31), Buffer.alloc(16))).toThrow(RangeError);
});
