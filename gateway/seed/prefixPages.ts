// The lists of boxes in LMDB: pages of sorted 8-byte prefixes of ids. A page takes one LMDB page of 4 KiB: about 8.2 bytes for each prefix,
// 820 MB for 100 million.
//
// Keys: u32 box, u32 seal, u32 group, first prefix (8 bytes), big-endian. Values: prefixes, ascending, 509 at most.
//
// Invariants
// - Pages of one (box, seal, group) do not overlap: a prefix can only be on the last page whose first prefix is not above it.
// - First prefixes of a list that is looked at are held in memory: 8 bytes for each 509 chunks, 1.6 MB for each 100 million.
//   They are read when the list is first asked, once.

import { prefixBytes } from "../../vault/seed/chunkList.ts";
import type { IndexEnvironment, RawDatabase } from "../index/environment.ts";

/** (4096 - 24 of the header of an overflow page) / 8 */
const pagePrefixesMax = 509;
const listKeyBytes = 12;
const keyBytes = listKeyBytes + prefixBytes;
/** Pages that one transaction writes or removes at most. */
const pagesAtOnce = 256;

/** One seal of a box. */
export type ListName = { readonly box: number; readonly seal: number };

type FirstPrefixes = { readonly high: Uint32Array; readonly low: Uint32Array };

export class PrefixPages {
  readonly #environment: IndexEnvironment;
  readonly #database: RawDatabase;
  readonly #firsts = new Map<string, FirstPrefixes>();
  readonly #key = Buffer.alloc(keyBytes);

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#database = environment.openRaw("seed-prefixes");
  }

  /** Writes pages of runs in several transactions; returns the chunks. @throws HoldfastError disk-full, io-error; what `runs` and `room` throw */
  async write(
    list: ListName,
    runs: AsyncIterable<{ readonly group: number; readonly prefixes: Uint8Array }>,
    room: () => Promise<void>,
  ): Promise<number> {
    let chunks = 0;
    let group = -1;
    let page = Buffer.alloc(0);
    let waiting: { readonly group: number; readonly page: Buffer }[] = [];
    const save = async (): Promise<void> => {
      await room();
      const pages = waiting;
      waiting = [];
      this.#environment.write(() => {
        for (const { group, page } of pages) this.#database.putSync(keyOf(list, group, page), page);
      });
      await new Promise((resolve) => setImmediate(resolve));
    };
    const end = (): void => {
      if (page.length > 0) waiting.push({ group, page });
      page = Buffer.alloc(0);
    };
    for await (const run of runs) {
      if (run.group !== group) end();
      group = run.group;
      chunks += run.prefixes.length / prefixBytes;
      for (let at = 0; at < run.prefixes.length; ) {
        const room = pagePrefixesMax * prefixBytes - page.length;
        page = Buffer.concat([page, run.prefixes.subarray(at, at + room)]);
        at += room;
        if (page.length === pagePrefixesMax * prefixBytes) end();
        if (waiting.length >= pagesAtOnce) await save();
      }
    }
    end();
    await save();
    return chunks;
  }

  /** Whether a list has an id (32 bytes) of a group, by its first 8 bytes. */
  has(list: ListName, group: number, id: Uint8Array): boolean {
    const { high, low } = this.#firstsOf(list, group);
    const view = new DataView(id.buffer, id.byteOffset, prefixBytes);
    const wantedHigh = view.getUint32(0);
    const wantedLow = view.getUint32(4);
    const at = lastAtOrBelow(high.length, (i) => compare(high[i]!, low[i]!, wantedHigh, wantedLow));
    if (at < 0) return false;
    listKey(list, group, this.#key);
    this.#key.writeUInt32BE(high[at]!, listKeyBytes);
    this.#key.writeUInt32BE(low[at]!, listKeyBytes + 4);
    const bytes = this.#database.getBinaryFast(this.#key);
    if (bytes === undefined) throw new Error("a page of a box's list is missing");
    const page = new DataView(bytes.buffer, bytes.byteOffset, this.#database.lastSize);
    const order = (i: number): number =>
      compare(page.getUint32(i * prefixBytes), page.getUint32(i * prefixBytes + 4), wantedHigh, wantedLow);
    const found = lastAtOrBelow(page.byteLength / prefixBytes, order);
    return found >= 0 && order(found) === 0;
  }

  /** The lists of which there are pages. */
  lists(): ListName[] {
    const lists: ListName[] = [];
    const start = Buffer.alloc(keyBytes);
    for (;;) {
      const [key] = [...this.#database.getKeys({ start, limit: 1 })];
      if (key === undefined) return lists;
      const found = Buffer.from(key);
      const list = { box: found.readUInt32BE(0), seal: found.readUInt32BE(4) };
      lists.push(list);
      start.fill(0);
      start.writeUIntBE(list.box, 0, 4);
      // A seal below 2^32 - 1: whoever writes lists sees to it.
      start.writeUInt32BE(list.seal + 1, 4);
    }
  }

  /** Removes a list's pages in several transactions. Nobody may look at it any more. */
  async remove(list: ListName): Promise<void> {
    this.forget(list);
    const start = listKey(list, 0, Buffer.alloc(keyBytes));
    const end = listKey({ ...list, seal: list.seal + 1 }, 0, Buffer.alloc(keyBytes));
    for (;;) {
      const keys = [...this.#database.getKeys({ start, end, limit: pagesAtOnce })].map((key) =>
        Buffer.from(key),
      );
      if (keys.length === 0) return;
      this.#environment.write(() => {
        for (const key of keys) this.#database.removeSync(key);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets go of what is in memory of a list. */
  forget({ box, seal }: ListName): void {
    for (const key of this.#firsts.keys()) if (key.startsWith(`${box}:${seal}:`)) this.#firsts.delete(key);
  }

  #firstsOf(list: ListName, group: number): FirstPrefixes {
    const name = `${list.box}:${list.seal}:${group}`;
    const known = this.#firsts.get(name);
    if (known !== undefined) return known;
    const start = listKey(list, group, Buffer.alloc(keyBytes));
    // One byte longer than any key of the group, so that its last page is inside.
    const end = Buffer.alloc(keyBytes + 1, 0xff);
    listKey(list, group, end);
    const high: number[] = [];
    const low: number[] = [];
    for (const key of this.#database.getKeys({ start, end })) {
      const bytes = Buffer.from(key);
      high.push(bytes.readUInt32BE(listKeyBytes));
      low.push(bytes.readUInt32BE(listKeyBytes + 4));
    }
    const firsts = { high: Uint32Array.from(high), low: Uint32Array.from(low) };
    this.#firsts.set(name, firsts);
    return firsts;
  }
}

function listKey({ box, seal }: ListName, group: number, into: Buffer): Buffer {
  into.writeUInt32BE(box, 0);
  into.writeUInt32BE(seal, 4);
  into.writeUInt32BE(group, 8);
  return into;
}

function keyOf(list: ListName, group: number, page: Buffer): Buffer {
  const key = listKey(list, group, Buffer.alloc(keyBytes));
  page.copy(key, listKeyBytes, 0, prefixBytes);
  return key;
}

function compare(high: number, low: number, otherHigh: number, otherLow: number): number {
  return high === otherHigh ? low - otherLow : high - otherHigh;
}

/** The last place that is not above what is sought, or -1. `order` is negative below it, 0 at it, positive above. */
function lastAtOrBelow(count: number, order: (place: number) => number): number {
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (order(middle) <= 0) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}
