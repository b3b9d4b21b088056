// Node ids for rows of directories, at a cost per directory and none per node.
//
// A node id says where its node is: a block of 4,096 rows of one directory, and the row in it. So a `find` over 5 million entries makes
// no 5 million objects: of a node nothing is kept but its share in how often the block's rows were looked up.
//
// Invariants: a block lives exactly while the kernel holds lookups of its rows; while it lives, one row of one directory has
// one node id; a slot that is used again has another serial, so no node id is ever used for two nodes; all node ids here are
// from ROW_NODE_ID_MIN up and below 2^53.

import type { RowDirectory } from "../../view/rows.ts";

const ROWS = 4096;
const SLOTS_MAX = 2 ** 22;
const SERIAL_MAX = 2 ** 19 - 1;
const ID_BYTES = 32;
const SLOTS_MIN = 1024;

/** Serials begin at 1, so that smaller node ids are free for other tables. */
export const ROW_NODE_ID_MIN = SLOTS_MAX * ROWS;

export class RowNodes {
  #capacity = SLOTS_MIN;
  #trees: (object | undefined)[] = [];
  #ids = Buffer.alloc(SLOTS_MIN * ID_BYTES);
  #inodes = new Uint32Array(SLOTS_MIN * 2);
  /** Number of the block in its directory. */
  #numbers = new Uint32Array(SLOTS_MIN);
  #serials = new Uint32Array(SLOTS_MIN);
  /** The last row of the block that was handed out. */
  #last = new Uint16Array(SLOTS_MIN);
  #lookups = new Float64Array(SLOTS_MIN);
  /** Open addressing with linear probing: slot + 1, or 0. At most half full. */
  #hash = new Uint32Array(SLOTS_MIN * 2);
  readonly #free: number[] = [];
  #slots = 0;
  #live = 0;
  #lookupsAll = 0;

  /** Blocks now in the table. */
  get blocks(): number {
    return this.#live;
  }

  /** Lookups that the kernel holds, of all nodes together. */
  get lookups(): number {
    return this.#lookupsAll;
  }

  /**
   * Counts one lookup of a row and returns its node id; every such call must reach the kernel in a reply. Undefined when 4 million
   * blocks are known: the row then cannot be named.
   */
  remember(directory: RowDirectory, row: number): number | undefined {
    const number = Math.floor(row / ROWS);
    let slot = this.#find(directory, number);
    if (slot < 0) slot = this.#add(directory, number);
    if (slot < 0) return undefined;
    this.#count(slot);
    if (row % ROWS > (this.#last[slot] as number)) this.#last[slot] = row % ROWS;
    return this.#idOf(slot, row % ROWS);
  }

  /** The node id of a row, if its block is in the table: the kernel may know it. */
  idOf(directory: RowDirectory, row: number): number | undefined {
    const slot = this.#find(directory, Math.floor(row / ROWS));
    return slot < 0 ? undefined : this.#idOf(slot, row % ROWS);
  }

  /** Counts one more lookup of a node, if its id is still good. */
  rememberAgain(nodeId: number): boolean {
    const slot = this.#slotOf(nodeId);
    if (slot < 0) return false;
    this.#count(slot);
    return true;
  }

  /** The row of a node; undefined when its id is not (or no longer) good. */
  rowOf(nodeId: number): number | undefined {
    const slot = this.#slotOf(nodeId);
    return slot < 0 ? undefined : (this.#numbers[slot] as number) * ROWS + (nodeId % ROWS);
  }

  /** A number that all nodes of one directory and 4,096 rows share, and no others ever. */
  blockOf(nodeId: number): number {
    return Math.floor(nodeId / ROWS);
  }

  /** The directory of a node whose id is good; its id is a copy. */
  directoryOf(nodeId: number): RowDirectory {
    const slot = this.#slotOf(nodeId);
    return {
      tree: this.#trees[slot] as object,
      id: Buffer.from(this.#ids.subarray(slot * ID_BYTES, (slot + 1) * ID_BYTES)),
      inodeLow: this.#inodes[slot * 2] as number,
      inodeHigh: this.#inodes[slot * 2 + 1] as number,
    };
  }

  /** Node ids of the blocks now in the table whose tree `isMeant`: where a block's begin, and how many were ever handed out from there. */
  blocksOf(isMeant: (tree: object) => boolean): { readonly first: number; readonly count: number }[] {
    const found: { readonly first: number; readonly count: number }[] = [];
    for (let slot = 0; slot < this.#slots; slot++) {
      const tree = this.#trees[slot];
      if (tree === undefined || !isMeant(tree)) continue;
      found.push({ first: this.#idOf(slot, 0), count: (this.#last[slot] as number) + 1 });
    }
    return found;
  }

  /** Whether the kernel holds lookups of the rows in a node's block. */
  isHeld(nodeId: number): boolean {
    return this.#slotOf(nodeId) >= 0;
  }

  /** The kernel let go of `lookups` references. Ids that are not good are ignored: they cannot be trusted. */
  forget(nodeId: number, lookups: number): void {
    const slot = this.#slotOf(nodeId);
    if (slot < 0) return;
    const held = this.#lookups[slot] as number;
    const gone = Math.min(held, lookups);
    this.#lookups[slot] = held - gone;
    this.#lookupsAll -= gone;
    if (gone === held) this.#remove(slot);
  }

  #count(slot: number): void {
    this.#lookups[slot] = (this.#lookups[slot] as number) + 1;
    this.#lookupsAll++;
  }

  #idOf(slot: number, rowInBlock: number): number {
    return ((this.#serials[slot] as number) * SLOTS_MAX + slot) * ROWS + rowInBlock;
  }

  #slotOf(nodeId: number): number {
    const block = Math.floor(nodeId / ROWS);
    const slot = block % SLOTS_MAX;
    const serial = Math.floor(block / SLOTS_MAX);
    return slot < this.#slots && this.#lookups[slot] !== 0 && this.#serials[slot] === serial ? slot : -1;
  }

  #place(inodeLow: number, inodeHigh: number, number: number): number {
    const mixed = Math.imul(
      inodeLow ^ Math.imul(inodeHigh, 2654435761) ^ Math.imul(number, 1597334677),
      2246822507,
    );
    return (mixed ^ (mixed >>> 15)) & (this.#hash.length - 1);
  }

  #placeOf(slot: number): number {
    const [low, high] = [this.#inodes[slot * 2] as number, this.#inodes[slot * 2 + 1] as number];
    return this.#place(low, high, this.#numbers[slot] as number);
  }

  #find({ tree, inodeLow, inodeHigh }: RowDirectory, number: number): number {
    const mask = this.#hash.length - 1;
    for (let at = this.#place(inodeLow, inodeHigh, number); ; at = (at + 1) & mask) {
      const slot = (this.#hash[at] as number) - 1;
      if (slot < 0) return -1;
      if (
        this.#inodes[slot * 2] === inodeLow &&
        this.#inodes[slot * 2 + 1] === inodeHigh &&
        this.#numbers[slot] === number &&
        this.#trees[slot] === tree
      ) {
        return slot;
      }
    }
  }

  #add({ tree, id, inodeLow, inodeHigh }: RowDirectory, number: number): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      if (this.#slots === SLOTS_MAX) return -1;
      if (this.#slots === this.#capacity) this.#grow();
      slot = this.#slots++;
    }
    this.#trees[slot] = tree;
    this.#ids.set(id, slot * ID_BYTES);
    this.#inodes[slot * 2] = inodeLow;
    this.#inodes[slot * 2 + 1] = inodeHigh;
    this.#numbers[slot] = number;
    this.#last[slot] = 0;
    this.#serials[slot] = (this.#serials[slot] as number) + 1;
    this.#live++;
    this.#enter(slot);
    return slot;
  }

  #enter(slot: number): void {
    const mask = this.#hash.length - 1;
    let at = this.#placeOf(slot);
    while (this.#hash[at] !== 0) at = (at + 1) & mask;
    this.#hash[at] = slot + 1;
  }

  #remove(slot: number): void {
    const mask = this.#hash.length - 1;
    let hole = this.#placeOf(slot);
    while (this.#hash[hole] !== slot + 1) hole = (hole + 1) & mask;
    // What comes behind moves up where its way from its own place leads over the hole.
    for (let at = (hole + 1) & mask; this.#hash[at] !== 0; at = (at + 1) & mask) {
      const home = this.#placeOf((this.#hash[at] as number) - 1);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#hash[hole] = this.#hash[at] as number;
      hole = at;
    }
    this.#hash[hole] = 0;
    this.#trees[slot] = undefined;
    this.#live--;
    if ((this.#serials[slot] as number) < SERIAL_MAX) this.#free.push(slot);
  }

  #grow(): void {
    this.#capacity *= 2;
    const grown = <T extends Uint16Array | Uint32Array | Float64Array | Buffer>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#ids = grown(this.#ids, Buffer.alloc(this.#capacity * ID_BYTES));
    this.#inodes = grown(this.#inodes, new Uint32Array(this.#capacity * 2));
    this.#numbers = grown(this.#numbers, new Uint32Array(this.#capacity));
    this.#serials = grown(this.#serials, new Uint32Array(this.#capacity));
    this.#last = grown(this.#last, new Uint16Array(this.#capacity));
    this.#lookups = grown(this.#lookups, new Float64Array(this.#capacity));
    this.#hash = new Uint32Array(this.#capacity * 2);
    for (let slot = 0; slot < this.#slots; slot++) if (this.#lookups[slot] !== 0) this.#enter(slot);
  }
}
