// A set of chunk ids in 8 bytes each: their first 53 bits tell ids apart well enough for "seen before" (ids are uniform;
// among 100 million the chance that a new one is taken for an old one is one in a hundred million).

const slotsMin = 1024;

export class IdSet {
  #slots = new Float64Array(slotsMin);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds an id; false when it was there. */
  add(id: Uint8Array): boolean {
    // 0 marks a free slot, so the one id in 2^53 that would be 0 counts as 1.
    const tag = tagOf(id) || 1;
    if (!insert(this.#slots, tag)) return false;
    this.#size += 1;
    if (this.#size * 4 > this.#slots.length * 3) this.#grow();
    return true;
  }

  has(id: Uint8Array): boolean {
    return slotOf(this.#slots, tagOf(id) || 1).taken;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Float64Array(old.length * 2);
    for (const tag of old) if (tag !== 0) insert(this.#slots, tag);
  }
}

function insert(slots: Float64Array, tag: number): boolean {
  const { at, taken } = slotOf(slots, tag);
  slots[at] = tag;
  return !taken;
}

/** Where a tag is, or would be. */
function slotOf(slots: Float64Array, tag: number): { at: number; taken: boolean } {
  const mask = slots.length - 1;
  for (let at = (tag % slots.length) & mask; ; at = (at + 1) & mask) {
    if (slots[at] === tag) return { at, taken: true };
    if (slots[at] === 0) return { at, taken: false };
  }
}

function tagOf(id: Uint8Array): number {
  const low = ((id[0]! << 24) | (id[1]! << 16) | (id[2]! << 8) | id[3]!) >>> 0;
  const high = ((id[4]! << 13) | (id[5]! << 5) | (id[6]! >>> 3)) >>> 0;
  return high * 2 ** 32 + low;
}
