// The seal, boxes and ids once more, written from docs/format.md with @noble only: slow, obvious, and independent of node:crypto.
import { ctr } from "@noble/ciphers/aes.js";
import { chacha20poly1305, hchacha } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

export function nobleHchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const out = new Uint32Array(8);
  hchacha(words(Buffer.from("expand 32-byte k")), words(key), words(nonce), out);
  return new Uint8Array(out.buffer);
}

export function nobleTag(macKey: Uint8Array, iv: Uint8Array, authenticated: Uint8Array): Uint8Array {
  return chacha20poly1305(nobleHchacha20(macKey, iv), new Uint8Array(12), authenticated).encrypt(
    new Uint8Array(0),
  );
}

/** header ‖ AES-256-CTR(u32 plain length ‖ payload) ‖ tag */
export function nobleSeal(
  keys: { encKey: Uint8Array; macKey: Uint8Array },
  iv: Uint8Array,
  header: Uint8Array,
  plainLength: number,
  payload: Uint8Array,
): Buffer {
  const body = Buffer.concat([Buffer.from(Uint32Array.of(plainLength).buffer), payload]);
  const sealed = Buffer.concat([header, ctr(keys.encKey, iv).encrypt(body)]);
  return Buffer.concat([sealed, nobleTag(keys.macKey, iv, sealed)]);
}

export function nobleDerive(
  ikm: Uint8Array,
  vaultId: Uint8Array,
  label: string,
  number?: number,
  length = 32,
): Uint8Array {
  const suffix = number === undefined ? Buffer.alloc(0) : Buffer.from(Uint32Array.of(number).buffer);
  return hkdf(sha256, ikm, vaultId, Buffer.concat([Buffer.from(label), suffix]), length);
}

export function nobleBox(kek: Uint8Array, context: string, secret: Uint8Array, salt: Uint8Array): Buffer {
  const okm = hkdf(sha256, kek, salt, Buffer.from("holdfast box v1"), 64);
  const sealed = chacha20poly1305(okm.subarray(0, 32), new Uint8Array(12), Buffer.from(context)).encrypt(
    secret,
  );
  return Buffer.concat([salt, okm.subarray(32), sealed]);
}

export function nobleChunkId(
  idKey: Uint8Array,
  type: number,
  refs: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  const count = Buffer.from(Uint32Array.of(refs.length / 32).buffer);
  const message = Buffer.concat([
    Buffer.from("holdfast.chunk.v1\0"),
    Buffer.from([type]),
    count,
    refs,
    plaintext,
  ]);
  return Buffer.from(hmac(sha256, idKey, message));
}

export function nobleHmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  return Buffer.from(hmac(sha256, key, Buffer.concat(parts)));
}
