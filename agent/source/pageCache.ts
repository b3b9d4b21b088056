// The agent's local copy of the metadata pages of its newest snapshot: one append-only file.
//
// Invariants:
//  - Nothing in it is believed: every page is checked against its keyed id when it is read, so a stale, truncated,
//    overwritten or foreign file costs time and never correctness. That is also why it is a plain file and not a
//    memory-mapped database, which damaged bytes could crash.
//  - The in-memory index takes 16 bytes a page, whatever the names.
// Layout: "HFpc0001" | vault id (16) | u32 group, then entries: u32 length of what follows | id (32) | u32 refs | refs | plaintext.

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { chunkId } from "../../vault/chunkId.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";

export type CachedPage = { readonly plaintext: Buffer; readonly refs: Buffer };

export type PageCacheOptions = {
  readonly path: string;
  readonly vaultId: Uint8Array;
  readonly group: number;
  readonly idKey: Buffer;
};

const magic = Buffer.from("HFpc0001");
const headerBytes = 8 + 16 + 4;
const entryHeaderBytes = 4 + 32 + 4;
const entryBytesMax = 32 + 4 + limits.refsPerRecordMax * 32 + limits.pageBytesMax;
const writeBytes = 1024 * 1024;
/** The file is written anew when less than half of it belongs to the newest snapshot and it is worth it. */
const garbageBytesMin = 1024 * 1024;

export class PageCache {
  readonly #options: PageCacheOptions;
  #fd: number;
  #index = new OffsetTable(1024);
  #end: number;
  /** Offsets of the entries that this run read or wrote. */
  readonly #live = new Map<number, number>();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  readonly #scratch = Buffer.allocUnsafe(4 + entryBytesMax);

  private constructor(options: PageCacheOptions, fd: number) {
    this.#options = options;
    this.#fd = fd;
    this.#end = headerBytes;
  }

  /** Opens or makes the cache; a file that is not one of this vault and group is started anew. */
  static open(options: PageCacheOptions): PageCache {
    const fd = openSync(options.path, "a+", 0o600);
    closeSync(fd);
    const cache = new PageCache(options, openSync(options.path, "r+"));
    cache.#scan();
    return cache;
  }

  /** The page, or undefined where the cache has no right copy of it. */
  get(id: Buffer): CachedPage | undefined {
    for (const offset of this.#index.candidates(id)) {
      const page = this.#read(offset, id);
      if (page !== undefined) return page;
    }
    return undefined;
  }

  /** Adds a page that get did not find. */
  put(id: Buffer, page: CachedPage): void {
    if (page.refs.length > limits.refsPerRecordMax * 32 || page.plaintext.length > limits.pageBytesMax)
      return;
    const header = Buffer.allocUnsafe(entryHeaderBytes);
    header.writeUInt32LE(32 + 4 + page.refs.length + page.plaintext.length, 0);
    header.set(id, 4);
    header.writeUInt32LE(page.refs.length / 32, 36);
    const entry = Buffer.concat([header, page.refs, page.plaintext]);
    const offset = this.#end + this.#pendingBytes;
    this.#index.add(id, offset);
    this.#live.set(offset, entry.length);
    this.#pending.push(entry);
    this.#pendingBytes += entry.length;
    if (this.#pendingBytes >= writeBytes) this.#flush();
  }

  /** Writes what is pending. With `compact`, also drops what this run did not use where that is most of the file. */
  finish(compact: boolean): void {
    this.#flush();
    if (!compact) return;
    let liveBytes = 0;
    for (const length of this.#live.values()) liveBytes += length;
    if (this.#end - liveBytes < Math.max(garbageBytesMin, liveBytes)) return;
    this.#rewrite();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #scan(): void {
    const size = fstatSync(this.#fd).size;
    const header = Buffer.alloc(headerBytes);
    const got = readSync(this.#fd, header, 0, headerBytes, 0);
    const expected = this.#header();
    if (got < headerBytes || !header.equals(expected)) {
      ftruncateSync(this.#fd, 0);
      writeSync(this.#fd, expected, 0, headerBytes, 0);
      return;
    }
    const piece = Buffer.allocUnsafe(writeBytes);
    let start = headerBytes; // file offset of piece[0]
    let filled = 0;
    let at = headerBytes;
    for (;;) {
      if (at + 36 > start + filled) {
        start = at;
        filled = readSync(this.#fd, piece, 0, piece.length, start);
        if (filled < 36) break;
      }
      const length = piece.readUInt32LE(at - start);
      if (length < 36 || length > entryBytesMax || at + 4 + length > size) break;
      this.#index.add(piece.subarray(at - start + 4, at - start + 36), at);
      at += 4 + length;
    }
    // A torn tail is cut off, so that new entries follow whole ones.
    this.#end = at;
    if (at < size) ftruncateSync(this.#fd, at);
  }

  #read(offset: number, id: Buffer): CachedPage | undefined {
    if (offset >= this.#end) return this.#readPending(offset, id);
    const scratch = this.#scratch;
    const got = readSync(this.#fd, scratch, 0, Math.min(scratch.length, 24 * 1024), offset);
    if (got < entryHeaderBytes) return undefined;
    const length = scratch.readUInt32LE(0);
    if (length < 36 || length > entryBytesMax) return undefined;
    let filled = got;
    while (filled < 4 + length) {
      const more = readSync(this.#fd, scratch, filled, 4 + length - filled, offset + filled);
      if (more === 0) return undefined;
      filled += more;
    }
    return this.#check(Buffer.from(scratch.subarray(0, 4 + length)), offset, id);
  }

  #readPending(offset: number, id: Buffer): CachedPage | undefined {
    let at = this.#end;
    for (const entry of this.#pending) {
      if (at === offset) return this.#check(entry, offset, id);
      at += entry.length;
    }
    return undefined;
  }

  #check(entry: Buffer, offset: number, id: Buffer): CachedPage | undefined {
    const refBytes = entry.readUInt32LE(36) * 32;
    if (!entry.subarray(4, 36).equals(id) || entryHeaderBytes + refBytes > entry.length) return undefined;
    const refs = entry.subarray(entryHeaderBytes, entryHeaderBytes + refBytes);
    const plaintext = entry.subarray(entryHeaderBytes + refBytes);
    if (!chunkId(this.#options.idKey, RecordType.directory, refs, plaintext).equals(id)) return undefined;
    this.#live.set(offset, entry.length);
    return { plaintext, refs };
  }

  #flush(): void {
    if (this.#pendingBytes === 0) return;
    const bytes = Buffer.concat(this.#pending);
    for (let at = 0; at < bytes.length; )
      at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#end + at);
    this.#end += bytes.length;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #rewrite(): void {
    const path = `${this.#options.path}.new`;
    rmSync(path, { force: true });
    const fd = openSync(path, "wx+", 0o600);
    writeSync(fd, this.#header());
    const index = new OffsetTable(this.#live.size * 2);
    let end = headerBytes;
    for (const [offset, length] of [...this.#live].sort((a, b) => a[0] - b[0])) {
      const entry = Buffer.allocUnsafe(length);
      if (readSync(this.#fd, entry, 0, length, offset) < length) continue;
      for (let at = 0; at < length; ) at += writeSync(fd, entry, at, length - at, end + at);
      index.add(entry.subarray(4, 36), end);
      end += length;
    }
    renameSync(path, this.#options.path);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#index = index;
    this.#end = end;
    this.#live.clear();
  }

  #header(): Buffer {
    const header = Buffer.alloc(headerBytes);
    magic.copy(header);
    header.set(this.#options.vaultId, 8);
    header.writeUInt32LE(this.#options.group, 24);
    return header;
  }
}

/** Open-addressing table from the first words of an id to file offsets; 16 bytes a slot, at most 3/4 full. */
class OffsetTable {
  #tags: Float64Array;
  #offsets: Float64Array;
  #count = 0;

  constructor(expected: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1024, expected * 2)));
    this.#tags = new Float64Array(slots);
    this.#offsets = new Float64Array(slots);
  }

  add(id: Uint8Array, offset: number): void {
    if (this.#count * 4 >= this.#tags.length * 3) this.#grow();
    this.#insert(tagOf(id), offset);
  }

  *candidates(id: Uint8Array): Generator<number> {
    const tag = tagOf(id);
    const mask = this.#tags.length - 1;
    for (let slot = tag & mask; this.#offsets[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#tags[slot] === tag) yield this.#offsets[slot] as number;
    }
  }

  #insert(tag: number, offset: number): void {
    const mask = this.#tags.length - 1;
    let slot = tag & mask;
    while (this.#offsets[slot] !== 0) slot = (slot + 1) & mask;
    this.#tags[slot] = tag;
    this.#offsets[slot] = offset; // never 0: a header comes first
    this.#count += 1;
  }

  #grow(): void {
    const tags = this.#tags;
    const offsets = this.#offsets;
    this.#tags = new Float64Array(tags.length * 2);
    this.#offsets = new Float64Array(tags.length * 2);
    this.#count = 0;
    for (let slot = 0; slot < tags.length; slot++) {
      if (offsets[slot] !== 0) this.#insert(tags[slot] as number, offsets[slot] as number);
    }
  }
}

/** 48 bits of the id, whose bytes are uniformly random. */
function tagOf(id: Uint8Array): number {
  const view = Buffer.from(id.buffer, id.byteOffset, 6);
  return view.readUIntLE(0, 6);
}
