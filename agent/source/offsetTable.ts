// Where the pages of a cache file are: from the first words of an id to file offsets, with a mark for those in use.
// Open addressing, 17 bytes a slot, at most 3/4 full, so that a search always ends. An id may have several places.

export class OffsetTable {
  #tags: Float64Array;
  #offsets: Float64Array;
  #marks: Uint8Array;
  #count = 0;

  constructor(expected: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1024, expected * 2)));
    this.#tags = new Float64Array(slots);
    this.#offsets = new Float64Array(slots);
    this.#marks = new Uint8Array(slots);
  }

  /** Adds a place; offset 0 is not one. Gives its slot, which is good until the next add. The id begins at `at` of `bytes`. */
  add(bytes: Uint8Array, offset: number, at = 0): number {
    if (this.#count * 4 >= this.#tags.length * 3) this.#grow();
    return this.#insert(tagOf(bytes, at), offset, 0);
  }

  /** The first slot of the places that may be the id's, or the next `after` one; -1 where there is none. */
  slot(id: Uint8Array, after = -1): number {
    const tag = tagOf(id, 0);
    const last = this.#tags.length - 1;
    for (
      let slot = after < 0 ? slotOf(tag, last) : (after + 1) & last;
      this.#offsets[slot] !== 0;
      slot = (slot + 1) & last
    ) {
      if (this.#tags[slot] === tag) return slot;
    }
    return -1;
  }

  offset(slot: number): number {
    return this.#offsets[slot] as number;
  }

  /** Marks a place as in use; false when it was marked before. */
  mark(slot: number): boolean {
    if (this.#marks[slot] !== 0) return false;
    this.#marks[slot] = 1;
    return true;
  }

  /** The places that are marked, in ascending order. */
  marked(): Float64Array {
    let count = 0;
    for (const mark of this.#marks) count += mark;
    const offsets = new Float64Array(count);
    let next = 0;
    for (let slot = 0; slot < this.#marks.length; slot++) {
      if (this.#marks[slot] !== 0) offsets[next++] = this.#offsets[slot] as number;
    }
    return offsets.sort();
  }

  #insert(tag: number, offset: number, mark: number): number {
    const last = this.#tags.length - 1;
    let slot = slotOf(tag, last);
    while (this.#offsets[slot] !== 0) slot = (slot + 1) & last;
    this.#tags[slot] = tag;
    this.#offsets[slot] = offset;
    this.#marks[slot] = mark;
    this.#count += 1;
    return slot;
  }

  #grow(): void {
    const [tags, offsets, marks] = [this.#tags, this.#offsets, this.#marks];
    this.#tags = new Float64Array(tags.length * 2);
    this.#offsets = new Float64Array(tags.length * 2);
    this.#marks = new Uint8Array(tags.length * 2);
    this.#count = 0;
    for (let slot = 0; slot < tags.length; slot++) {
      if (offsets[slot] !== 0) {
        this.#insert(tags[slot] as number, offsets[slot] as number, marks[slot] as number);
      }
    }
  }
}

/** 48 bits of the id, whose bytes are uniformly random. */
function tagOf(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return (low >>> 0) + (bytes[at + 4]! | (bytes[at + 5]! << 8)) * 2 ** 32;
}

/** `last` is a power of two less one, below 2^31: the bits of the tag that it keeps are a slot. */
function slotOf(tag: number, last: number): number {
  return tag & last;
}
