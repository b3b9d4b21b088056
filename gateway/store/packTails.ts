// Tails of packs: header, trailer and footer of a closed pack, kept in tails/<ab>/<sha256> when its file is in a replica
// alone. They say what every record of the pack must be, so that bytes which come from elsewhere can be proven.
//
// Invariants
// - A tail that is handed out fits its own footer's hash, the pack's length and its nonce in the pack table.
// - A tail is whole and durable before its pack counts as evicted.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { asBuffer, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { Width } from "../../vault/magic.ts";
import { openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { parsePackHeader } from "../../vault/pack/packHeader.ts";
import type { PackRow } from "../index/packTable.ts";
import { errnoOf, fileError, makeFolderDurably, writeFileDurably } from "./files.ts";

/** What a pack must be for its tail to be told whole. */
export type TailOf = Pick<PackRow, "name" | "bytes" | "nonce">;

/** A record as the trailer has it: where it is, and the first 16 bytes of its SHA-256. */
export type TailRecord = { readonly offset: number; readonly length: number; readonly hash16: Buffer };

/** Folder of a pack's tail. */
function tailFolder(vault: string, name: Uint8Array): string {
  return join(vault, "tails", toHex(name.subarray(0, 1)));
}

/** File of a pack's tail. */
export function tailPath(vault: string, name: Uint8Array): string {
  return join(tailFolder(vault, name), toHex(name));
}

/** Longest tail that there can be. */
const tailBytesMax =
  Width.packHeader + Width.trailerHeader + limits.packRecordsMax * (Width.trailerRow + 16) + Width.footer;

/** A pack's tail, checked. */
export class PackTail {
  /** Header, trailer and footer. */
  readonly bytes: Buffer;
  /** The pack's, which each of its frames begins with. */
  readonly nonce: Buffer;
  readonly #trailer: Buffer;
  readonly #rowsAt: number;
  readonly #rowCount: number;

  /** @throws HoldfastError corrupt, truncated, unsupported */
  constructor(given: Uint8Array, pack: TailOf) {
    const bytes = asBuffer(given);
    if (bytes.length < Width.packHeader + Width.trailerHeader + Width.footer || bytes.length > tailBytesMax) {
      throw new HoldfastError(ErrorCode.truncated, `a pack's tail of ${bytes.length} bytes`);
    }
    const header = parsePackHeader(bytes.subarray(0, Width.packHeader));
    const footer = parseFooter(bytes, pack.bytes);
    const trailer = bytes.subarray(Width.packHeader, bytes.length - Width.footer);
    const rows = openTrailer(footer, trailer);
    const one = header.kind === footer.kind && asBuffer(footer.nonce).equals(pack.nonce);
    if (!one || !asBuffer(header.nonce).equals(pack.nonce)) {
      throw new HoldfastError(ErrorCode.corrupt, "a tail is of another pack than its name says");
    }
    this.bytes = bytes;
    this.nonce = footer.nonce;
    this.#trailer = trailer;
    this.#rowCount = rows.length;
    this.#rowsAt = trailer.length - rows.length * Width.trailerRow;
  }

  /** The first record that ends behind a position of the pack, or undefined where there is none. */
  recordFrom(position: number): TailRecord | undefined {
    let low = 0;
    let high = this.#rowCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { offset, length } = this.#record(middle);
      if (offset + length <= position) low = middle + 1;
      else high = middle;
    }
    return low < this.#rowCount ? this.#record(low) : undefined;
  }

  /** The record that begins at an offset of the pack, or undefined where none does. */
  recordAt(offset: number): TailRecord | undefined {
    const record = this.recordFrom(offset);
    return record?.offset === offset ? record : undefined;
  }

  #record(index: number): TailRecord {
    const at = this.#rowsAt + index * Width.trailerRow;
    return {
      offset: this.#trailer.readUInt32LE(at + 32),
      length: this.#trailer.readUInt32LE(at + 36),
      hash16: this.#trailer.subarray(at + 48, at + Width.trailerRow),
    };
  }
}

/** Tails kept in memory. */
const keptBytesMax = 8 * 2 ** 20;

export class PackTails {
  readonly #directory: string;
  /** By name, least recently used first. */
  readonly #kept = new Map<string, PackTail>();
  #keptBytes = 0;
  readonly #reading = new Map<string, Promise<PackTail>>();

  /** `directory`: the vault's. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The tail of a pack. One that is missing or damaged here is taken from `restore`, which gives proven bytes, and kept.
   * @throws HoldfastError io-error, and what `restore` throws
   */
  async get(pack: TailOf, restore: () => Promise<Uint8Array>): Promise<PackTail> {
    const key = asBuffer(nameOf(pack)).toString("latin1");
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const under = this.#reading.get(key) ?? this.#readOrRestore(pack, restore);
    this.#reading.set(key, under);
    try {
      const tail = await under;
      this.#keep(key, tail);
      return tail;
    } finally {
      this.#reading.delete(key);
    }
  }

  async #readOrRestore(pack: TailOf, restore: () => Promise<Uint8Array>): Promise<PackTail> {
    const here = await this.#read(pack);
    if (here !== undefined) return here;
    const bytes = await restore();
    await this.save(pack, bytes);
    return new PackTail(bytes, pack);
  }

  /** Undefined where it is missing or not whole. @throws HoldfastError io-error */
  async #read(pack: TailOf): Promise<PackTail | undefined> {
    const path = tailPath(this.#directory, nameOf(pack));
    try {
      return new PackTail(await readFile(path), pack);
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || isHoldfastError(error, ErrorCode.corrupt)) return undefined;
      if (isHoldfastError(error, ErrorCode.truncated)) return undefined;
      throw fileError(error, path);
    }
  }

  #keep(key: string, tail: PackTail): void {
    const before = this.#kept.get(key);
    if (before !== undefined) this.#keptBytes -= before.bytes.length;
    this.#kept.delete(key);
    this.#kept.set(key, tail);
    this.#keptBytes += tail.bytes.length;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= keptBytesMax || oldest === key) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }

  /** Whether the tail of a pack is here and whole. */
  async has(pack: TailOf): Promise<boolean> {
    return (await this.#read(pack)) !== undefined;
  }

  /**
   * Makes a tail durable. `bytes`: header, trailer and footer.
   * @throws HoldfastError corrupt, truncated, unsupported when they are not this pack's; disk-full, io-error
   */
  async save(pack: TailOf, bytes: Uint8Array): Promise<void> {
    const name = nameOf(pack);
    const tail = new PackTail(bytes, pack);
    await makeFolderDurably(join(this.#directory, "tails"));
    await makeFolderDurably(tailFolder(this.#directory, name));
    await writeFileDurably(tailPath(this.#directory, name), tail.bytes);
  }
}

/**
 * Header, trailer and footer of a pack of `bytes` bytes, by a function that reads ranges of it.
 * @throws HoldfastError corrupt, truncated, unsupported, and what `read` throws
 */
export async function readTailOf(
  pack: TailOf,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<Buffer> {
  const header = await read(0, Width.packHeader);
  const footer = await read(pack.bytes - Width.footer, Width.footer);
  const { trailerOffset, trailerLength } = parseFooter(footer, pack.bytes);
  return Buffer.concat([header, await read(trailerOffset, trailerLength), footer]);
}

function nameOf({ name }: TailOf): Uint8Array {
  if (name === undefined) throw new Error("an open pack has no tail");
  return name;
}
