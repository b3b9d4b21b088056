// The seal of records and snapshots (docs/format.md section 5): AES-256-CTR, then Poly1305 over the clear
// header and the ciphertext, with a one-time key from HChaCha20(macKey, IV).
//
// Why this form: AES-CTR and Poly1305 run natively in node:crypto. Native AES-GCM has a 12-byte IV, too short for
// random IVs over 2^36 records; AES-GCM-SIV and XChaCha20 are not offered, and in JavaScript they are 40 times slower.
// Bound: a record uses up to 2^18 counter blocks from its random 16-byte IV on. With 2^36 records of the largest size under one
// key, the chance that any two ranges of counters meet is about 2^(2*36 + 18 - 128) = 2^-38.
//
// Sealed bytes are `clear header ‖ ciphertext of (u32 plain length ‖ payload) ‖ tag`.
import { timingSafeEqual } from "node:crypto";
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { Width } from "../magic.ts";
import { nodeEngine, type OpenEngine, type SealEngine } from "./engine.ts";
import { hchacha20 } from "./hchacha20.ts";

/** The two keys of one key epoch, 32 bytes each. */
export type SealKeys = { readonly encKey: Uint8Array; readonly macKey: Uint8Array };

/** Writes the 16-byte tag of everything before it. */
function sealTag(
  engine: Pick<SealEngine, "tag">,
  macKey: Uint8Array,
  iv: Uint8Array,
  authenticated: Uint8Array,
  out: Uint8Array,
): void {
  const oneTimeKey = hchacha20(macKey, iv);
  engine.tag(oneTimeKey, authenticated, out);
  oneTimeKey.fill(0);
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
  engine: SealEngine = nodeEngine,
): void {
  const tagStart = headerLength + sealedLengthOf(payload.length);
  if (out.length !== tagStart + Width.tag) throw new RangeError("sealInto: wrong length of out");
  const head = Buffer.alloc(Width.plainLength);
  head.writeUInt32LE(plainLength);
  engine.encrypt(keys.encKey, iv, head, payload, out.subarray(headerLength, tagStart));
  sealTag(engine, keys.macKey, iv, out.subarray(0, tagStart), out.subarray(tagStart));
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
  engine: OpenEngine = nodeEngine,
): { plainLength: number; payload: Buffer } {
  const bytes = asBuffer(sealed);
  const tagStart = bytes.length - Width.tag;
  if (tagStart < headerLength + Width.plainLength) {
    throw new HoldfastError(ErrorCode.truncated, "sealed bytes shorter than their header, length and tag");
  }
  const tag = Buffer.alloc(Width.tag);
  sealTag(engine, keys.macKey, iv, bytes.subarray(0, tagStart), tag);
  if (!timingSafeEqual(tag, bytes.subarray(tagStart))) {
    throw new HoldfastError(
      ErrorCode.sealInvalid,
      "the seal does not match: damaged, altered or of another key",
    );
  }
  const body = engine.decrypt(keys.encKey, iv, bytes.subarray(headerLength, tagStart));
  return { plainLength: body.readUInt32LE(0), payload: body.subarray(Width.plainLength) };
}
