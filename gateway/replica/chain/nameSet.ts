// A set of SHA-256 names: 32 bytes each in one piece of memory, 64 to 128 with the room that a hash table needs (100,000 names: 8 MiB).
//
// Names are hashes already, so their first bytes say where to look. `all zeros` marks a free place; no name is all zeros.

const nameBytes = 32;
const slotsMin = 64;

export class NameSet {
  size = 0;
  #slots: Buffer = Buffer.alloc(slotsMin * nameBytes);

  has(name: Uint8Array): boolean {
    return this.#find(name).taken;
  }

  /** Whether it was not there before. */
  add(name: Uint8Array): boolean {
    if (name.length !== nameBytes) throw new RangeError("a name has 32 bytes");
    if ((this.size + 1) * 2 * nameBytes > this.#slots.length) this.#grow();
    const { at, taken } = this.#find(name);
    if (taken) return false;
    this.#slots.set(name, at);
    this.size++;
    return true;
  }

  delete(name: Uint8Array): boolean {
    const { at, taken } = this.#find(name);
    if (!taken) return false;
    this.#slots.fill(0, at, at + nameBytes);
    this.size--;
    // What was put further on because this place was taken must be found from its own place again.
    for (let next = this.#after(at); !this.#free(next); next = this.#after(next)) {
      const moved = Buffer.from(this.#slots.subarray(next, next + nameBytes));
      this.#slots.fill(0, next, next + nameBytes);
      this.#slots.set(moved, this.#find(moved).at);
    }
    return true;
  }

  #find(name: Uint8Array): { readonly at: number; readonly taken: boolean } {
    const slots = this.#slots.length / nameBytes;
    const word = (name[0]! | (name[1]! << 8) | (name[2]! << 16) | (name[3]! << 24)) >>> 0;
    let at = (word % slots) * nameBytes;
    while (!this.#free(at)) {
      if (this.#slots.compare(name, 0, nameBytes, at, at + nameBytes) === 0) return { at, taken: true };
      at = this.#after(at);
    }
    return { at, taken: false };
  }

  #after(at: number): number {
    return at + nameBytes === this.#slots.length ? 0 : at + nameBytes;
  }

  #free(at: number): boolean {
    return this.#slots.compare(free, 0, nameBytes, at, at + nameBytes) === 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = Buffer.alloc(old.length * 2);
    for (let at = 0; at < old.length; at += nameBytes) {
      const name = old.subarray(at, at + nameBytes);
      if (name.compare(free) !== 0) this.#slots.set(name, this.#find(name).at);
    }
  }
}

const free = Buffer.alloc(nameBytes);
