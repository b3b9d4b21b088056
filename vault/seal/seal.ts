// The seal of records and snapshots (docs/format.md section 5): AES-256-CTR, then Poly1305 over the clear
// header and the ciphertext, with a one-time key from HChaCha20(macKey, IV).
//
// Why this form: AES-CTR and Poly1305 run natively in node:crypto. Native AES-GCM has a 12-byte IV, too short for
// random IVs over 2^36 records; AES-GCM-SIV and XChaCha20 are not offered, and in JavaScript they are 40 times slower.
// Bound: a record uses up to 2^18 counter blocks from its random 16-byte IV on. With 2^36 records of the largest size under one
// key, the chance that any two ranges of counters meet is about 2^(2*36 + 18 - 128) = 2^-38.
//
// Keys are made KeyObjects first: opening 500 bytes takes 28 microseconds so, 37 with raw bytes (Node 24). A kept KeyObject would
// save about 10 more, but cannot be wiped; from a few KiB on none of this shows.
//
// Sealed bytes are `clear header ‖ ciphertext of (u32 plain length ‖ payload) ‖ tag`.
import { createCipheriv, createDecipheriv, createSecretKey, timingSafeEqual } from "node:crypto";
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { Width } from "../magic.ts";
import { freeNow } from "./compress.ts";
import { hchacha20 } from "./hchacha20.ts";

/** The two keys of one key epoch, 32 bytes each. */
export type SealKeys = { readonly encKey: Uint8Array; readonly macKey: Uint8Array };

const zeroNonce = Buffer.alloc(12);

/** The 16-byte tag of everything before it. */
function sealTag(macKey: Uint8Array, iv: Uint8Array, authenticated: Uint8Array): Buffer {
  const oneTimeKey = hchacha20(macKey, iv);
  const poly = createCipheriv("chacha20-poly1305", createSecretKey(oneTimeKey), zeroNonce, {
    authTagLength: Width.tag,
  });
  poly.setAAD(authenticated, { plaintextLength: 0 });
  poly.final();
  oneTimeKey.fill(0);
  return poly.getAuthTag();
}

/** Bytes of the ciphertext for a payload. */
export function sealedLengthOf(payloadLength: number): number {
  return Width.plainLength + payloadLength;
}

/**
 * Completes `out`, whose first `headerLength` bytes are the finished clear header (the IV in it included): writes
 * the ciphertext of `plainLength` and `payload`, and the tag. `out` ends with the tag.
 */
export function sealInto(
  keys: SealKeys,
  iv: Uint8Array,
  out: Buffer,
  headerLength: number,
  plainLength: number,
  payload: Uint8Array,
): void {
  const tagStart = headerLength + sealedLengthOf(payload.length);
  if (out.length !== tagStart + Width.tag) throw new RangeError("sealInto: wrong length of out");
  // CTR is a stream: update() returns as many bytes as it takes, and final() would add none.
  const cipher = createCipheriv("aes-256-ctr", createSecretKey(keys.encKey), iv);
  out.writeUInt32LE(plainLength, headerLength);
  out.set(cipher.update(out.subarray(headerLength, headerLength + Width.plainLength)), headerLength);
  const ciphertext = cipher.update(payload);
  out.set(ciphertext, headerLength + Width.plainLength);
  freeNow(ciphertext);
  out.set(sealTag(keys.macKey, iv, out.subarray(0, tagStart)), tagStart);
}

/**
 * Verifies and decrypts sealed bytes, all of `sealed`, whose clear header has `headerLength` bytes.
 * @throws HoldfastError seal-invalid when the tag is not that of these keys and bytes; truncated when shorter than an empty seal
 */
export function openBody(
  keys: SealKeys,
  iv: Uint8Array,
  sealed: Uint8Array,
  headerLength: number,
): { plainLength: number; payload: Buffer } {
  const bytes = asBuffer(sealed);
  const tagStart = bytes.length - Width.tag;
  if (tagStart < headerLength + Width.plainLength) {
    throw new HoldfastError(ErrorCode.truncated, "sealed bytes shorter than their header, length and tag");
  }
  const tag = sealTag(keys.macKey, iv, bytes.subarray(0, tagStart));
  if (!timingSafeEqual(tag, bytes.subarray(tagStart))) {
    throw new HoldfastError(
      ErrorCode.sealInvalid,
      "the seal does not match: damaged, altered or of another key",
    );
  }
  const body = createDecipheriv("aes-256-ctr", keys.encKey, iv).update(
    bytes.subarray(headerLength, tagStart),
  );
  return { plainLength: body.readUInt32LE(0), payload: body.subarray(Width.plainLength) };
}
