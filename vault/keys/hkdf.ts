// HKDF-SHA-256 (RFC 5869) and the labels of docs/format.md section 4.
import { hkdfSync } from "node:crypto";
import { Width } from "../magic.ts";

/** `bytes` bytes derived from `ikm`, in memory of their own (not from Buffer's shared pool, so that they can be wiped). */
export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array | string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", ikm, salt, info, bytes));
}

/** HKDF under the vault's id, with `label`, and `number` (a group or an epoch) appended to it as u32 where given. */
export function derive(
  ikm: Uint8Array,
  vaultId: Uint8Array,
  label: string,
  number?: number,
  bytes: number = Width.key,
): Buffer {
  if (number === undefined) return hkdf(ikm, vaultId, label, bytes);
  const text = Buffer.from(label, "latin1");
  const info = Buffer.alloc(text.length + 4);
  text.copy(info);
  info.writeUInt32LE(number, text.length);
  return hkdf(ikm, vaultId, info, bytes);
}
