// Checking an Ed25519 signature as RFC 8032, section 5.1.7 writes it, with big integers.
import { sha512 } from "@noble/hashes/sha2.js";
import { concat } from "./cursor.ts";
import { littleEndian, mod, p, power } from "./x25519.ts";

type Point = readonly [bigint, bigint];

const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const d = mod(-121665n * power(121666n, p - 2n));

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const k = mod(d * mod(x1 * x2) * mod(y1 * y2));
  return [
    mod((x1 * y2 + x2 * y1) * power(1n + k, p - 2n)),
    mod((y1 * y2 + x1 * x2) * power(mod(1n - k), p - 2n)),
  ];
}

function multiply(scalar: bigint, point: Point): Point {
  let result: Point = [0n, 1n];
  let double = point;
  for (let k = scalar; k > 0n; k >>= 1n) {
    if (k & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

/** A point from its 32 bytes; null when they name none. */
function point(bytes: Uint8Array): Point | null {
  const all = littleEndian(bytes);
  const sign = all >> 255n;
  const y = all & (2n ** 255n - 1n);
  if (y >= p) return null;
  const square = mod((y * y - 1n) * power(mod(d * y * y + 1n), p - 2n));
  let x = power(square, (p + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * power(2n, (p - 1n) / 4n));
  if (mod(x * x) !== square || (x === 0n && sign === 1n)) return null;
  return [(x & 1n) === sign ? x : p - x, y];
}

const base = point(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0x58 : 0x66))) as Point;

/** Whether `signature` (64 bytes) is one of `message` by the holder of `publicKey` (32 bytes). */
export function verified(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const a = point(publicKey);
  const r = point(signature.slice(0, 32));
  const s = littleEndian(signature.slice(32));
  if (a === null || r === null || s >= order) return false;
  const k = littleEndian(sha512(concat(signature.slice(0, 32), publicKey, message))) % order;
  const [left, right] = [multiply(s, base), add(r, multiply(k, a))];
  return left[0] === right[0] && left[1] === right[1];
}
