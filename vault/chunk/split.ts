// The keyed hash of a name that decides where bundles and directory pages end (docs/format.md 6.1).

/** An odd constant near 2^32 / golden ratio: a product carries every byte into the top bits that are tested. */
const multiplier = 2_654_435_761;

/** `split(name)` with a split table of 256 u32: a u32. */
export function splitHash(name: Uint8Array, table: Uint32Array): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, multiplier) + table[name[i]!]!) | 0;
  return hash >>> 0;
}
