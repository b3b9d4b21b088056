// HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2): 16 bytes of nonce and a key give a new key.
// node:crypto does not have it. One call is 20 rounds on 16 words, about a microsecond, so plain
// JavaScript is enough; the state lives in one Uint32Array that is reused (calls never overlap: the
// function does not await).
import { asBuffer } from "../bytes.ts";
import { Width } from "../magic.ts";

const x = new Uint32Array(16);

function quarterRound(a: number, b: number, c: number, d: number): void {
  let xa = x[a]!;
  let xb = x[b]!;
  let xc = x[c]!;
  let xd = x[d]!;
  xa = (xa + xb) | 0;
  xd ^= xa;
  xd = (xd << 16) | (xd >>> 16);
  xc = (xc + xd) | 0;
  xb ^= xc;
  xb = (xb << 12) | (xb >>> 20);
  xa = (xa + xb) | 0;
  xd ^= xa;
  xd = (xd << 8) | (xd >>> 24);
  xc = (xc + xd) | 0;
  xb ^= xc;
  xb = (xb << 7) | (xb >>> 25);
  x[a] = xa;
  x[b] = xb;
  x[c] = xc;
  x[d] = xd;
}

/** The 32-byte subkey of a 32-byte key and a 16-byte nonce. */
export function hchacha20(key: Uint8Array, nonce: Uint8Array): Buffer {
  if (key.length !== Width.key || nonce.length !== Width.iv) throw new RangeError("hchacha20: wrong lengths");
  const keyBytes = asBuffer(key);
  const nonceBytes = asBuffer(nonce);
  x[0] = 0x61707865; // "expand 32-byte k"
  x[1] = 0x3320646e;
  x[2] = 0x79622d32;
  x[3] = 0x6b206574;
  for (let i = 0; i < 8; i++) x[4 + i] = keyBytes.readUInt32LE(i * 4);
  for (let i = 0; i < 4; i++) x[12 + i] = nonceBytes.readUInt32LE(i * 4);
  for (let round = 0; round < 10; round++) {
    quarterRound(0, 4, 8, 12);
    quarterRound(1, 5, 9, 13);
    quarterRound(2, 6, 10, 14);
    quarterRound(3, 7, 11, 15);
    quarterRound(0, 5, 10, 15);
    quarterRound(1, 6, 11, 12);
    quarterRound(2, 7, 8, 13);
    quarterRound(3, 4, 9, 14);
  }
  const subkey = Buffer.allocUnsafe(32);
  for (let i = 0; i < 4; i++) {
    subkey.writeUInt32LE(x[i]!, i * 4);
    subkey.writeUInt32LE(x[12 + i]!, 16 + i * 4);
  }
  x.fill(0);
  return subkey;
}
