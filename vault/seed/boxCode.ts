// What people compare when a box changes hands: number and code of its manifest, HFB-7-XXXX-XXXX.

import { fromHex } from "../bytes.ts";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: no I, L, O, U

/** The code of a box whose manifest has this SHA-256 (64 hex digits): its first 40 bits in Crockford base32. */
export function boxCode(box: number, manifestHash: string): string {
  let bits = fromHex(manifestHash, 32).readUIntBE(0, 5);
  let code = "";
  for (let i = 0; i < 8; i++) {
    code = alphabet[bits % 32]! + code;
    bits = Math.floor(bits / 32);
  }
  return `HFB-${box}-${code.slice(0, 4)}-${code.slice(4)}`;
}
