// Directory pages and the entries in them (docs/format.md, section 6.4).
import { Cursor, must, Refusal } from "./cursor.ts";
import type { Chunk } from "./record.ts";

export const kinds = {
  file: 1,
  directory: 2,
  symlink: 3,
  fifo: 4,
  socket: 5,
  characterDevice: 6,
  blockDevice: 7,
} as const;

/** Nanoseconds since 1970. */
type Time = bigint;

/** A reference, and the plain length that the page says its record has. */
export type Link = { readonly id: Uint8Array; readonly plainLength: number };

export type Attribute = { readonly name: Uint8Array; readonly value: Uint8Array };

/** A run of a file's content; `chunk` is null for a hole. */
export type Extent = {
  readonly length: number;
  readonly chunk: { readonly id: Uint8Array; readonly plainLength?: number; readonly offset: number } | null;
};

export type Entry = {
  readonly name: Uint8Array;
  readonly kind: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: Uint8Array;
  readonly group: Uint8Array;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly btime: Time;
  readonly device: bigint;
  readonly inode: bigint;
  readonly linkCount: number;
  readonly xattrs: readonly Attribute[] | Link;
  readonly size?: number;
  readonly fileHash?: Uint8Array;
  /** The extents, or the topmost page of them and, of form 3, how many bytes are no holes. */
  readonly content?: readonly Extent[] | (Link & { readonly dataBytes?: number });
  readonly child?: Link & { readonly files: number; readonly directories: number; readonly bytes: number };
  readonly target?: Uint8Array;
  readonly major?: number;
  readonly minor?: number;
};

/** A row of a page above level 0. */
export type Below = { readonly lowest: Uint8Array; readonly child: Link; readonly rows: number };

export type DirectoryPage =
  | { readonly level: 0; readonly entries: readonly Entry[] }
  | { readonly level: number; readonly below: readonly Below[] };

const pageLengthMax = 64 * 1024;
const levelMax = 7;

/** The references of a page, handed out by ordinal; their order must be that of first use. */
class Links {
  readonly #links: readonly Link[];
  #used = 0;

  constructor(links: readonly Link[]) {
    this.#links = links;
  }

  take(ordinal: number): Link {
    const link = this.#links[ordinal];
    must(link !== undefined && ordinal <= this.#used, `ordinal ${ordinal} out of turn`);
    if (ordinal === this.#used) this.#used++;
    return link;
  }

  end(): void {
    must(this.#used === this.#links.length, "a page has references that no row names");
  }
}

/** Strings in order of first use, index 0 the empty one. */
class Strings {
  readonly #strings: readonly Uint8Array[];
  #used = 1;

  constructor(strings: readonly Uint8Array[]) {
    this.#strings = [new Uint8Array(0), ...strings];
    for (const text of strings) must(text.length > 0, "the empty string is not listed");
    must(
      new Set(strings.map((text) => Buffer.from(text).toString("latin1"))).size === strings.length,
      "a string is listed twice",
    );
  }

  take(index: number): Uint8Array {
    const text = this.#strings[index];
    must(text !== undefined && index <= this.#used, `string ${index} out of turn`);
    if (index === this.#used) this.#used++;
    return text;
  }

  end(): void {
    must(this.#used === this.#strings.length, "a page lists strings that no row names");
  }
}

function readTime(cursor: Cursor): Time {
  const seconds = cursor.i64();
  const nanoseconds = cursor.u32();
  must(seconds > -(2n ** 53n) && seconds < 2n ** 53n, "a time far outside");
  must(nanoseconds < 1_000_000_000, "a second has 10^9 nanoseconds");
  return seconds * 1_000_000_000n + BigInt(nanoseconds);
}

function checkName(name: Uint8Array): void {
  const text = Buffer.from(name).toString("latin1");
  if (name.length > 1024) throw new Refusal("limit-exceeded", "a name is too long");
  must(text !== "" && text !== "." && text !== ".." && !/[/\0]/.test(text), "a name that cannot be one");
}

/** A list of xattrs to the end of the cursor's part; names strictly ascending. */
export function readAttributes(cursor: Cursor): Attribute[] {
  let before: Uint8Array | null = null;
  return Array.from({ length: cursor.varint() }, () => {
    const name = cursor.block();
    must(name.length >= 1 && name.length <= 1024 && !name.includes(0), "the name of an xattr");
    must(before === null || Buffer.compare(before, name) < 0, "xattrs are not in order");
    before = name;
    return { name, value: cursor.block() };
  });
}

function readInlineExtents(cursor: Cursor, links: Links, size: number): Extent[] {
  const count = cursor.varint();
  must(count <= 8, "too many inline extents");
  const extents = Array.from({ length: count }, (): Extent => {
    const length = cursor.varint();
    must(length > 0, "an empty extent");
    const which = cursor.varint();
    if (which === 0) return { length, chunk: null };
    const link = links.take(which - 1);
    const offset = cursor.varint();
    must(offset + length <= link.plainLength, "an extent reaches beyond its chunk");
    return { length, chunk: { ...link, offset } };
  });
  must(extents.reduce((sum, { length }) => sum + length, 0) === size, "extents do not cover the file");
  return extents;
}

function readKindFields(cursor: Cursor, kind: number, links: Links): Partial<Entry> {
  switch (kind) {
    case kinds.file: {
      const size = cursor.varint();
      if (size === 0) return { size };
      const fileHash = cursor.bytes(32);
      const form = cursor.u8();
      must(form >= 1 && form <= 3, `content form ${form}`);
      if (form === 1) return { size, fileHash, content: readInlineExtents(cursor, links, size) };
      const top = links.take(cursor.varint());
      if (form === 2) return { size, fileHash, content: top };
      const dataBytes = cursor.varint();
      must(dataBytes >= 1 && dataBytes < size, "no data or no holes in a file that says it has both");
      return { size, fileHash, content: { ...top, dataBytes } };
    }
    case kinds.directory: {
      const link = links.take(cursor.varint());
      const files = cursor.varint();
      const directories = cursor.varint();
      return { child: { ...link, files, directories, bytes: cursor.varint() } };
    }
    case kinds.symlink: {
      const target = cursor.block();
      if (target.length > 32 * 1024) throw new Refusal("limit-exceeded", "a symlink's target is too long");
      must(!target.includes(0), "a symlink's target with a NUL");
      return { target };
    }
    case kinds.fifo:
    case kinds.socket:
      return {};
    case kinds.characterDevice:
    case kinds.blockDevice:
      return { major: cursor.varint(), minor: cursor.varint() };
    default:
      throw new Refusal("corrupt", `an entry of kind ${kind}`);
  }
}

function readEntry(row: Uint8Array, links: Links, strings: Strings): Entry {
  const cursor = new Cursor(row, "an entry");
  const name = cursor.block();
  checkName(name);
  const kind = cursor.u8();
  const mode = cursor.varint();
  must(mode <= 0o7777, `mode ${mode.toString(8)}`);
  const uid = cursor.varint();
  const gid = cursor.varint();
  must(uid <= 0xffff_ffff && gid <= 0xffff_ffff, "an owner's number is too large");
  const user = strings.take(cursor.varint());
  const group = strings.take(cursor.varint());
  const mtime = readTime(cursor);
  const ctime = readTime(cursor);
  const btime = readTime(cursor);
  const device = cursor.u64();
  const inode = cursor.u64();
  const linkCount = cursor.varint();
  const form = cursor.u8();
  must(form <= 2, `xattrs form ${form}`);
  let xattrs: readonly Attribute[] | Link = [];
  if (form === 1) {
    xattrs = readAttributes(cursor);
    must(xattrs.length > 0, "an empty list of xattrs");
  }
  if (form === 2) xattrs = links.take(cursor.varint());
  const fields = readKindFields(cursor, kind, links);
  cursor.end();
  return {
    name,
    kind,
    mode,
    uid,
    gid,
    user,
    group,
    mtime,
    ctime,
    btime,
    device,
    inode,
    linkCount,
    xattrs,
    ...fields,
  };
}

function readBelow(row: Uint8Array, links: Links): Below {
  const cursor = new Cursor(row, "a row of pages");
  const lowest = cursor.block();
  checkName(lowest);
  const child = links.take(cursor.varint());
  const rows = cursor.varint();
  must(rows > 0, "a page without entries below it");
  cursor.end();
  return { lowest, child, rows };
}

/** Reads a directory page from its opened record. */
export function readDirectoryPage({ plaintext, references }: Chunk): DirectoryPage {
  if (plaintext.length > pageLengthMax) throw new Refusal("limit-exceeded", "a page over 64 KiB");
  const cursor = new Cursor(plaintext, "a directory page");
  const level = cursor.u8();
  if (level > levelMax) throw new Refusal("limit-exceeded", `page level ${level}`);
  cursor.zeros(3);
  const count = cursor.u32();
  const links = new Links(references.map((id) => ({ id, plainLength: cursor.varint() })));
  const strings = new Strings(Array.from({ length: cursor.varint() }, () => cursor.block()));
  must(count <= plaintext.length, "more rows than bytes");
  const rows = Array.from({ length: count }, () => cursor.block());
  cursor.end();

  const page: DirectoryPage =
    level === 0
      ? { level: 0, entries: rows.map((row) => readEntry(row, links, strings)) }
      : { level, below: rows.map((row) => readBelow(row, links)) };
  links.end();
  strings.end();
  const names =
    "entries" in page ? page.entries.map(({ name }) => name) : page.below.map(({ lowest }) => lowest);
  must("entries" in page || names.length > 0, "a page of pages without rows");
  for (let i = 1; i < names.length; i++) {
    must(Buffer.compare(names[i - 1]!, names[i]!) < 0, "names are not in order");
  }
  return page;
}
