// Seeded numbers and bytes, so that a run can be repeated exactly from the printed seed.

import { createCipheriv, createHash } from "node:crypto";

export type Random = {
  /** A whole number from 0 up to, not including, `below`. */
  readonly integer: (below: number) => number;
};

/** Numbers that depend on `seed` alone (mulberry32: short, and good enough to choose offsets). */
export function seededRandom(seed: string): Random {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { integer: (below) => Math.floor(unit() * below) };
}

/** `count` different whole numbers below `below`, ascending. Throws when there are not that many. */
export function seededSample(seed: string, count: number, below: number): number[] {
  if (count > below) throw new RangeError(`cannot choose ${count} of ${below}`);
  const random = seededRandom(seed);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.integer(below));
  return [...chosen].sort((a, b) => a - b);
}

/** A source of incompressible bytes (an AES-CTR key stream, about 2 GB/s). */
export function seededNoise(seed: string): (length: number) => Buffer {
  const cipher = createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}
