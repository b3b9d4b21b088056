// The cipher, the tag and the key derivations that docs/format.md names, on noble's plain JavaScript.
import { ctr } from "@noble/ciphers/aes.js";
import { chacha20poly1305, hchacha } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { concat, u32 } from "./cursor.ts";

function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

function words(bytes: Uint8Array): Uint32Array {
  const view = Buffer.from(bytes);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.readUInt32LE(4 * i));
}

/** HKDF with SHA-256 and a label as info; where a number follows the label, it is appended as u32. */
export function derive(
  ikm: Uint8Array,
  salt: Uint8Array,
  label: string,
  length: number,
  number?: number,
): Uint8Array {
  const info = concat(ascii(label), number === undefined ? new Uint8Array(0) : u32(number));
  return hkdf(sha256, ikm, salt, info, length);
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = hmac.create(sha256, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** The password's 48 bytes: L and R. */
export async function stretchPassword(
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<{ l: Uint8Array; r: Uint8Array }> {
  const text = Uint8Array.from(Buffer.from(password.normalize("NFC"), "utf8"));
  const bytes = await pbkdf2Async(sha512, text, salt, { c: iterations, dkLen: 48 });
  return { l: bytes.slice(0, 24), r: bytes.slice(24) };
}

/** AES-256-CTR: the same both ways. */
export function aes256Ctr(key: Uint8Array, iv: Uint8Array, bytes: Uint8Array): Uint8Array {
  return ctr(key, iv).encrypt(bytes);
}

/** The tag over everything before it: RFC 8439 with an empty plaintext, keyed per record by HChaCha20(macKey, IV). */
export function recordTag(macKey: Uint8Array, iv: Uint8Array, before: Uint8Array): Uint8Array {
  const out = new Uint32Array(8);
  hchacha(words(ascii("expand 32-byte k")), words(macKey), words(iv), out);
  const key = concat(...Array.from(out, (word) => u32(word)));
  return chacha20poly1305(key, new Uint8Array(12), before).encrypt(new Uint8Array(0));
}

/** Opens what ChaCha20-Poly1305 sealed under a zero nonce; null when it is not authentic. */
export function openAead(key: Uint8Array, context: string, sealed: Uint8Array): Uint8Array | null {
  try {
    return chacha20poly1305(key, new Uint8Array(12), ascii(context)).decrypt(sealed);
  } catch {
    return null;
  }
}

/** True when both are the same. Plain, since there is nobody here to measure the time. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
