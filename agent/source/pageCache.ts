// The agent's local copy of the metadata pages of its newest snapshot: one append-only file.
//
// Invariants:
//  - Nothing in it is believed: every page is checked against its keyed id when it is read, so a stale, truncated,
//    overwritten or foreign file costs time and never correctness. That is also why it is a plain file and not a
//    memory-mapped database, which damaged bytes could crash.
//  - The in-memory index takes some 30 bytes a page, whatever the names; of the file itself 1 MiB is in memory.
//  - A file that cannot be read is an empty cache; one that cannot be written is an error, before anything is committed.
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
import { isChunkId } from "../../vault/chunkId.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { HmacEngine } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { Slab } from "../platform/slab.ts";
import { CachedEntries, entryHeaderBytes } from "./cachedEntries.ts";
import { OffsetTable } from "./offsetTable.ts";

export type CachedPage = { readonly plaintext: Buffer; readonly refs: Buffer };

export type PageCacheOptions = {
  readonly path: string;
  readonly vaultId: Uint8Array;
  readonly group: number;
  readonly idKey: Buffer;
  /** What checks the ids of pages: Node's by default. */
  readonly hmacs?: HmacEngine;
};

const magic = Buffer.from("HFpc0001");
const headerBytes = 8 + 16 + 4;
const writeBytes = 1024 * 1024;
const entryBytesUsual = 2048;
/** The file is written anew when less than half of it belongs to the newest snapshot and it is worth it. */
const garbageBytesMin = 1024 * 1024;

export class PageCache {
  readonly #options: PageCacheOptions;
  #fd: number;
  #index = new OffsetTable(1024);
  #entries: CachedEntries;
  /** Where pages go that are handed out. */
  readonly #slab = new Slab();
  #end: number;
  /** Bytes of the entries that this run read or wrote: those that are marked in the index. */
  #liveBytes = 0;
  /** Entries that are not yet in the file, in its order, by the offset that they will have. */
  readonly #pending = new Map<number, Buffer>();
  #pendingBytes = 0;

  private constructor(options: PageCacheOptions, fd: number) {
    this.#options = options;
    this.#fd = fd;
    this.#entries = new CachedEntries(fd);
    this.#end = headerBytes;
  }

  /**
   * Opens or makes the cache; a file that is not one of this vault and group is started anew.
   * @throws HoldfastError disk-full, io-error
   */
  static open(options: PageCacheOptions): PageCache {
    return writing(options.path, () => {
      closeSync(openSync(options.path, "a+", 0o600));
      const fd = openSync(options.path, "r+");
      try {
        const cache = new PageCache(options, fd);
        cache.#scan();
        return cache;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    });
  }

  /** The page, or undefined where the cache has no right copy of it. */
  get(id: Buffer): CachedPage | undefined {
    for (let slot = this.#index.slot(id); slot >= 0; slot = this.#index.slot(id, slot)) {
      const entry = this.#entryAt(this.#index.offset(slot));
      const page = entry === undefined ? undefined : this.#check(entry, id);
      if (entry === undefined || page === undefined) continue;
      if (this.#index.mark(slot)) this.#liveBytes += entry.length;
      return page;
    }
    return undefined;
  }

  /**
   * Adds a page that get did not find.
   * @throws HoldfastError disk-full, io-error
   */
  put(id: Buffer, page: CachedPage): void {
    if (page.refs.length > limits.refsPerRecordMax * 32 || page.plaintext.length > limits.pageBytesMax)
      return;
    const header = Buffer.allocUnsafe(entryHeaderBytes);
    header.writeUInt32LE(32 + 4 + page.refs.length + page.plaintext.length, 0);
    header.set(id, 4);
    header.writeUInt32LE(page.refs.length / 32, 36);
    const entry = Buffer.concat([header, page.refs, page.plaintext]);
    const offset = this.#end + this.#pendingBytes;
    this.#index.mark(this.#index.add(id, offset));
    this.#liveBytes += entry.length;
    this.#pending.set(offset, entry);
    this.#pendingBytes += entry.length;
    if (this.#pendingBytes >= writeBytes) this.#flush();
  }

  /**
   * Writes what is pending. With `compact`, also drops what this run did not use where that is most of the file.
   * @throws HoldfastError disk-full, io-error
   */
  finish(compact: boolean): void {
    this.#flush();
    if (!compact || this.#end - this.#liveBytes < Math.max(garbageBytesMin, this.#liveBytes)) return;
    writing(this.#options.path, () => this.#rewrite());
  }

  /** Nothing is written afterwards. */
  close(): void {
    closeSync(this.#fd);
    this.#fd = -1; // so that a late write can never reach another file
  }

  #scan(): void {
    const size = fstatSync(this.#fd).size;
    const header = Buffer.alloc(headerBytes);
    const got = readSync(this.#fd, header, 0, headerBytes, 0);
    const expected = this.#header();
    if (got < headerBytes || !header.equals(expected)) {
      ftruncateSync(this.#fd, 0);
      writeAll(this.#fd, expected, 0);
      return;
    }
    this.#index = new OffsetTable(size / entryBytesUsual);
    const at = this.#entries.scan(headerBytes, size, (bytes, idAt, offset) => {
      this.#index.add(bytes, offset, idAt);
    });
    // A torn tail is cut off, so that new entries follow whole ones.
    this.#end = at;
    if (at < size) ftruncateSync(this.#fd, at);
  }

  /** The bytes of the entry at an offset, good until the next is asked for; undefined where there is no whole one. */
  #entryAt(offset: number): Buffer | undefined {
    return offset >= this.#end ? this.#pending.get(offset) : this.#entries.at(offset);
  }

  /** A copy of the page in an entry, where it is the id's. */
  #check(entry: Buffer, id: Buffer): CachedPage | undefined {
    const refBytes = entry.readUInt32LE(36) * 32;
    const length = entry.length - entryHeaderBytes;
    if (refBytes > length) return undefined;
    const page = this.#slab.take(length);
    entry.copy(page, 0, entryHeaderBytes);
    const refs = page.subarray(0, refBytes);
    const plaintext = page.subarray(refBytes);
    const { idKey, hmacs } = this.#options;
    if (!isChunkId(id, idKey, RecordType.directory, refs, plaintext, hmacs)) return undefined;
    return { plaintext, refs };
  }

  #flush(): void {
    if (this.#pendingBytes === 0) return;
    const bytes = Buffer.concat([...this.#pending.values()]);
    writing(this.#options.path, () => writeAll(this.#fd, bytes, this.#end));
    this.#end += bytes.length;
    this.#pending.clear();
    this.#pendingBytes = 0;
  }

  #rewrite(): void {
    const path = `${this.#options.path}.new`;
    rmSync(path, { force: true });
    const fd = openSync(path, "wx+", 0o600);
    const offsets = this.#index.marked();
    const index = new OffsetTable(offsets.length);
    let end = headerBytes;
    try {
      writeAll(fd, this.#header(), 0);
      for (const offset of offsets) {
        const entry = this.#entryAt(offset);
        if (entry === undefined) continue;
        writeAll(fd, entry, end);
        index.mark(index.add(entry.subarray(4, 36), end));
        end += entry.length;
      }
      renameSync(path, this.#options.path);
    } catch (error) {
      closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.#index = index;
    this.#entries = new CachedEntries(fd);
    this.#end = end;
    this.#liveBytes = end - headerBytes;
  }

  #header(): Buffer {
    const header = Buffer.alloc(headerBytes);
    magic.copy(header);
    header.set(this.#options.vaultId, 8);
    header.writeUInt32LE(this.#options.group, 24);
    return header;
  }
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

/** Runs what changes the file; says in one line what a failure means. */
function writing<T>(path: string, change: () => T): T {
  try {
    return change();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new HoldfastError(
      full ? ErrorCode.diskFull : ErrorCode.ioError,
      full
        ? `no room for the agent's cache ${path}`
        : `the agent's cache ${path} cannot be written (${code})`,
      { next: full ? "Make room and run it again." : "Check the folder, or delete the file.", cause },
    );
  }
}
