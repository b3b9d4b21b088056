// Records as the gateway sent them, sealed, on this machine's disk: nothing in them is readable without keys, and whoever opens one
// proves it, so a damaged or altered copy is found and fetched again. It outlives mounts; it may be deleted at any time.
//
// A folder of segments, each written once from front to back by one process: 8 bytes of magic, then per record `u32 length ‖ u32 group ‖
// 16 bytes of vault ‖ record`. Any number of processes may use one folder: each knows the segments that were there when it started
// and its own.
//
// Invariants: the index names only bytes that were written; after a segment was begun the folder holds at most `bytesMax` (and
// what other processes have written into their newest since); the segments written first go first, but what is read from the oldest
// quarter is written again; at most queuedBytesMax wait to be written, what comes meanwhile is not kept.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { asBuffer } from "../../vault/bytes.ts";
import { limits } from "../../vault/limits.ts";
import { recordLengthFromHeader } from "../../vault/record.ts";
import { type Block, CacheBlocks } from "./cacheBlocks.ts";

const MiB = 1024 * 1024;
const magic = Buffer.from("HFDRIVE1", "latin1");
const ending = ".records";
const headBytes = 24;
/** Of a record, to find its length and id. */
const prefixBytes = 56;
const segmentBytesMax = 64 * MiB;
const segmentsWanted = 16;
const queuedBytesMax = 16 * MiB;
/** Records wait for others, up to so many bytes or so long: a write of its own for each would slow down who reads one after the other. */
const blockBytes = MiB;
const gatherMs = 50;

type Segment = { readonly path: string; file: Promise<FileHandle> | undefined; bytes: number };
type Place = { readonly segment: Segment; readonly at: number; readonly length: number };

export class SealedCache {
  readonly #folder: string;
  readonly #bytesMax: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #index = new Map<string, Place>();
  /** The oldest first; the last may be the one that is written. */
  #segments: Segment[] = [];
  #current: Segment | undefined;
  readonly #blocks: CacheBlocks;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /**
   * @param onFailure called once, when the disk refuses; nothing is written from then on
   * @throws the system's error when the folder cannot be made or listed
   */
  constructor(folder: string, bytesMax: number, onFailure: (error: unknown) => void) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
    this.#onFailure = onFailure;
    this.#blocks = new CacheBlocks(Math.min(blockBytes, this.#segmentBytes), queuedBytesMax);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { path } of this.#onDisk()) this.#scan(path);
  }

  static key(vaultId: string, group: number, id: Uint8Array): string {
    return `${vaultId}/${group}/${asBuffer(id).toString("latin1")}`;
  }

  has(key: string): boolean {
    return this.#index.has(key);
  }

  /** A sealed record in memory of its own, unproven; undefined where there is none any more. */
  async read(key: string): Promise<Buffer | undefined> {
    const place = this.#index.get(key);
    if (place === undefined) return undefined;
    const { segment, at, length } = place;
    const bytes = Buffer.allocUnsafeSlow(length);
    try {
      segment.file ??= open(segment.path, "r");
      const { bytesRead } = await (await segment.file).read(bytes, 0, length, at);
      if (bytesRead === length) {
        this.#keepYoung(key, segment, bytes);
        return bytes;
      }
    } catch {
      // Another process made room, or the disk is bad: the gateway has it.
    }
    this.discard(key);
    return undefined;
  }

  /** Keeps a copy of a record. */
  add(key: string, vaultId: string, group: number, record: Buffer): void {
    if (this.#stopped || this.#index.has(key)) return;
    const bytes = this.#blocks.reserve(key, headBytes + record.length, record.length);
    if (bytes === undefined) return;
    bytes.writeUInt32LE(record.length, 0);
    bytes.writeUInt32LE(group, 4);
    bytes.write(vaultId, 8, 16, "hex");
    record.copy(bytes, headBytes);
    if (this.#blocks.bytes < blockBytes) this.#timer ??= setTimeout(() => this.#startWriting(), gatherMs);
    else this.#startWriting();
  }

  #startWriting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#writeAll();
  }

  /** Forgets a record that is wrong. Returns whether there was one. */
  discard(key: string): boolean {
    return this.#index.delete(key);
  }

  /** Writes what waits and closes all files. */
  async close(): Promise<void> {
    this.#startWriting();
    await this.#writing;
    this.#stopped = true;
    this.#index.clear();
    for (const segment of this.#segments.splice(0)) await closed(segment);
  }

  #keepYoung(key: string, segment: Segment, record: Buffer): void {
    const oldest = this.#segments.slice(0, Math.floor(this.#segments.length / 4));
    if (this.#segments.length < segmentsWanted / 2 || !oldest.includes(segment)) return;
    const [vaultId, group] = key.split("/", 2) as [string, string];
    this.#index.delete(key);
    this.add(key, vaultId, Number(group), record);
  }

  async #writeAll(): Promise<void> {
    try {
      for (let block = this.#blocks.take(); block !== undefined; block = this.#blocks.take()) {
        await this.#write(block);
        this.#blocks.written(block);
      }
    } catch (error) {
      this.#stopped = true;
      this.#blocks.clear();
      this.#onFailure(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #write({ memory, filled, entries }: Block): Promise<void> {
    const segment = this.#segmentToWrite(filled);
    const file = await (segment.file as Promise<FileHandle>);
    const start = segment.bytes;
    const { bytesWritten } = await file.write(memory, 0, filled, start);
    if (bytesWritten !== filled) throw new Error("the disk took a part of what was written");
    for (const { key, at, length } of entries) this.#index.set(key, { segment, at: start + at, length });
    segment.bytes = start + filled;
  }

  get #segmentBytes(): number {
    return Math.min(segmentBytesMax, Math.max(MiB, Math.floor(this.#bytesMax / segmentsWanted)));
  }

  /** One with room for so many bytes, or an empty one. */
  #segmentToWrite(bytes: number): Segment {
    if (this.#current !== undefined && this.#current.bytes + bytes <= this.#segmentBytes)
      return this.#current;
    this.#makeRoom(this.#segmentBytes);
    const path = join(this.#folder, randomBytes(8).toString("hex") + ending);
    const file = open(path, "wx+", 0o600).then(async (handle) => {
      await handle.write(magic, 0, magic.length, 0);
      return handle;
    });
    this.#current = { path, file, bytes: magic.length };
    this.#segments.push(this.#current);
    return this.#current;
  }

  /** Deletes the oldest segments, whoever wrote them, until `bytes` more fit. */
  #makeRoom(bytes: number): void {
    const files = this.#onDisk();
    let sum = files.reduce((all, each) => all + each.bytes, 0);
    for (const { path, bytes: length } of files) {
      if (sum + bytes <= this.#bytesMax) break;
      try {
        unlinkSync(path);
      } catch {
        // Another process was faster.
      }
      sum -= length;
      this.#forget(path);
    }
  }

  #forget(path: string): void {
    const segment = this.#segments.find((each) => each.path === path);
    if (segment === undefined) return;
    this.#segments = this.#segments.filter((each) => each !== segment);
    for (const [key, place] of this.#index) if (place.segment === segment) this.#index.delete(key);
    void closed(segment);
  }

  /** The segments in the folder, the one that was written last at the end. */
  #onDisk(): { readonly path: string; readonly bytes: number; readonly writtenMs: number }[] {
    const files = readdirSync(this.#folder).flatMap((name) => {
      if (!name.endsWith(ending)) return [];
      const path = join(this.#folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ path, bytes: stat.size, writtenMs: stat.mtimeMs }];
    });
    return files.sort((a, b) => a.writtenMs - b.writtenMs);
  }

  /** Enters the records of a segment that was there before, up to the first that is not whole. */
  #scan(path: string): void {
    let descriptor: number;
    try {
      descriptor = openSync(path, "r");
    } catch {
      return;
    }
    try {
      const { size } = fstatSync(descriptor);
      const segment: Segment = { path, file: undefined, bytes: size };
      const bytes = Buffer.alloc(headBytes + prefixBytes);
      if (readSync(descriptor, bytes, 0, magic.length, 0) !== magic.length) return;
      if (!magic.equals(bytes.subarray(0, magic.length))) return;
      for (let at = magic.length; at + bytes.length <= size; ) {
        readSync(descriptor, bytes, 0, bytes.length, at);
        const length = bytes.readUInt32LE(0);
        if (!isRecord(bytes.subarray(headBytes), length) || at + headBytes + length > size) break;
        const [group, vaultId] = [bytes.readUInt32LE(4), bytes.toString("hex", 8, headBytes)];
        const key = SealedCache.key(vaultId, group, bytes.subarray(headBytes + 24, headBytes + 56));
        this.#index.set(key, { segment, at: at + headBytes, length });
        at += headBytes + length;
      }
      this.#segments.push(segment);
    } catch {
      // A segment that cannot be read is none.
    } finally {
      closeSync(descriptor);
    }
  }
}

function isRecord(prefix: Buffer, length: number): boolean {
  try {
    return length <= limits.recordBytesMax && recordLengthFromHeader(prefix) === length;
  } catch {
    return false;
  }
}

async function closed(segment: Segment): Promise<void> {
  const file = await segment.file?.catch(() => undefined);
  await file?.close().catch(() => undefined);
}
