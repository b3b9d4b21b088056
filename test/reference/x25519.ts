// X25519 as RFC 7748, section 5 writes it, with big integers. Not in constant time: only for reading one's own vault.
import { must } from "./cursor.ts";

export const p = 2n ** 255n - 19n;
const a24 = 121665n;

export function mod(value: bigint): bigint {
  const rest = value % p;
  return rest < 0n ? rest + p : rest;
}

export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function toBytes(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

/** The product of a private key (32 bytes) and a point's u-coordinate (32 bytes). An all-zero result is refused. */
export function x25519(privateKey: Uint8Array, point: Uint8Array): Uint8Array {
  must(privateKey.length === 32 && point.length === 32, "an X25519 key has 32 bytes");
  const scalar = Uint8Array.from(privateKey);
  scalar[0]! &= 248;
  scalar[31]! &= 127;
  scalar[31]! |= 64;
  const k = littleEndian(scalar);
  const x1 = mod(littleEndian(point) & (2n ** 255n - 1n));

  let [x2, z2, x3, z3, swap] = [1n, 0n, x1, 1n, 0n];
  for (let t = 254n; t >= 0n; t--) {
    const bit = (k >> t) & 1n;
    if (swap !== bit) [x2, z2, x3, z3] = [x3, z3, x2, z2];
    swap = bit;
    const a = x2 + z2;
    const aa = mod(a * a);
    const b = x2 - z2;
    const bb = mod(b * b);
    const e = aa - bb;
    const da = mod((x3 - z3) * a);
    const cb = mod((x3 + z3) * b);
    x3 = mod((da + cb) ** 2n);
    z3 = mod(x1 * mod((da - cb) ** 2n));
    x2 = mod(aa * bb);
    z2 = mod(e * (aa + a24 * e));
  }
  if (swap === 1n) [x2, z2] = [x3, z3];
  const shared = toBytes(mod(x2 * power(z2, p - 2n)));
  must(
    shared.some((byte) => byte !== 0),
    "the shared secret of X25519 is all zeros",
  );
  return shared;
}

/** The public key of a private key. */
export function x25519Public(privateKey: Uint8Array): Uint8Array {
  const base = new Uint8Array(32);
  base[0] = 9;
  return x25519(privateKey, base);
}
