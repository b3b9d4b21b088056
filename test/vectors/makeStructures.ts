// Makes the golden vectors of chunker, trees and packs, once: `node test/vectors/makeStructures.ts`.
//
// It refuses to overwrite. A vector that no longer holds is a broken format, not an old file: a new form
// of the format gets a new vector beside the old one.
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BundlePlanner } from "../../vault/chunk/bundle.ts";
import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { splitHash } from "../../vault/chunk/split.ts";
import { PackKind, RecordType } from "../../vault/magic.ts";
import { encodeFooter } from "../../vault/pack/footer.ts";
import { encodeFrame } from "../../vault/pack/frame.ts";
import { encodePackHeader } from "../../vault/pack/packHeader.ts";
import { encodeTrailer, type TrailerRow } from "../../vault/pack/trailer.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind, type ExtentDraft } from "../../vault/tree/entry.ts";
import { ExtentsWriter } from "../../vault/tree/extentsWriter.ts";
import { PageStore, plainDraft } from "../vault/drafts.ts";
import { seededBytes, seededId, seededTable } from "../vault/seeded.ts";
import { type PageVector, toJson } from "./structures.ts";

const MiB = 1024 * 1024;

function pathOf(name: string): string {
  return fileURLToPath(new URL(`${name}.json`, import.meta.url));
}

function chunker(): unknown {
  const contents = [
    { label: "vector random", bytes: seededBytes("vector random", 20 * MiB) },
    { label: "vector short", bytes: seededBytes("vector short", 262_144) },
    { label: "vector one more", bytes: seededBytes("vector one more", 262_145) },
  ];
  const gear = seededTable("vector gear");
  const split = seededTable("vector split");
  const cuts = contents.map(({ label, bytes }) => {
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      at = nextCut(bytes, at, bytes.length, gear);
      ends.push(at);
    }
    return { label, length: bytes.length, ends };
  });
  const names = ["a", "README.md", "ä".repeat(40), "x".repeat(255)].map((name) => ({
    name,
    hash: splitHash(Buffer.from(name), split),
  }));
  const planner = new BundlePlanner(split);
  const files = Array.from({ length: 400 }, (_, i) => {
    const random = seededId(`vector file ${i}`);
    const file = { uid: i < 390 ? 0 : 1000, size: 1 + (random.readUInt32LE(0) % 60_000), name: `file ${i}` };
    return { ...file, starts: planner.add({ ...file, name: Buffer.from(file.name) }) === "startNew" };
  });
  return {
    about:
      "Contents and tables are AES-256-CTR key streams (zero counter block) under SHA-256(label). Tables: 256 u32, little-endian, labels 'vector gear' and 'vector split'. `starts`: a new bundle begins with this file.",
    cuts,
    names,
    files,
  };
}

/** One entry of every kind and form. */
function everyKind(): EntryDraft[] {
  const { size: _size, fileHash: _hash, content: _content, ...bare } = plainDraft("bare");
  const chunk = (label: string, plainLength: number, offset: number, length: number): ExtentDraft => ({
    hole: false,
    id: seededId(label),
    plainLength,
    offset,
    length,
  });
  const entries: EntryDraft[] = [
    { ...bare, name: Buffer.from("fifo"), kind: EntryKind.fifo, mtime: { seconds: -1, nanoseconds: 1 } },
    { ...bare, name: Buffer.from("socket"), kind: EntryKind.socket, userName: "", groupName: "" },
    { ...bare, name: Buffer.from("link"), kind: EntryKind.symlink, target: Buffer.from("../not/there") },
    { ...bare, name: Buffer.from("sda"), kind: EntryKind.blockDevice, major: 8, minor: 1_048_575 },
    { ...bare, name: Buffer.from("null"), kind: EntryKind.characterDevice, major: 1, minor: 3 },
    { ...bare, name: Buffer.from("empty"), kind: EntryKind.file, size: 0, mode: 0o4755 },
    { ...plainDraft("bundled"), inode: 2n ** 64n - 1n, device: 2n ** 63n, linkCount: 3 },
    {
      ...plainDraft("sparse"),
      size: 2 ** 52 + 300,
      content: {
        form: "inline",
        extents: [
          { hole: true, length: 2 ** 52 },
          chunk("a", 100, 0, 100),
          chunk("b", 500, 300, 200),
        ],
      },
    },
    {
      ...plainDraft("paged"),
      size: Number.MAX_SAFE_INTEGER,
      content: { form: "pages", id: seededId("pages"), plainLength: 16_392 },
      xattrs: { form: "record", id: seededId("xattrs"), plainLength: 70_000 },
    },
    {
      ...bare,
      name: Buffer.from("directory"),
      kind: EntryKind.directory,
      btime: { seconds: 2 ** 40, nanoseconds: 999_999_999 },
      child: { id: seededId("child"), plainLength: 9, files: 5, directories: 2, bytes: 2 ** 40 },
      xattrs: {
        form: "inline",
        list: [
          { name: Buffer.from("system.posix_acl_access"), value: Buffer.from("0200000001000600", "hex") },
          { name: Buffer.from("user.x"), value: Buffer.alloc(0) },
        ],
      },
    },
    { ...plainDraft("x"), name: Buffer.from([0xff, 0xfe, 0x80]), uid: 0xffff_ffff, userName: "ünï" },
  ];
  return entries.sort((a, b) => Buffer.compare(a.name, b.name));
}

function pagesOf(store: PageStore): PageVector[] {
  return [...store.pages].map(([id, { plaintext, refs }]) => ({
    id,
    plaintext: plaintext.toString("base64"),
    refs: refs.toString("base64"),
  }));
}

/** Pages in the order of writing, the root last; `entries` whole, or for the large one only how to make them. */
function directories(): unknown {
  const split = seededTable("vector split");
  const written = (entries: readonly EntryDraft[]) => {
    const store = new PageStore();
    const writer = new DirectoryWriter(split, store.emit);
    for (const entry of entries) writer.add(entry);
    return { store, root: writer.finish() };
  };
  const small = everyKind();
  const large = Array.from({ length: 20_000 }, (_, i) => plainDraft(`entry ${String(i).padStart(6, "0")}`));
  const kinds = written(small);
  const empty = written([]);
  const many = written(large);
  return {
    about:
      "Page ids here are SHA-256(refs, '|', plaintext). Bytes are base64, integers over 2^53 decimal strings. Split table: as in chunker.json. `large`: plainDraft('entry 000000') to 019999 of test/vault/drafts.ts.",
    everyKind: { entries: small.map(toJson), pages: pagesOf(kinds.store) },
    empty: { pages: pagesOf(empty.store) },
    large: {
      rows: many.root.rows,
      root: many.root.id.toString("hex"),
      pages: [...many.store.pages].map(([id, { plaintext }]) => ({ id, bytes: plaintext.length })),
    },
  };
}

function extents(): unknown {
  const make = (count: number): ExtentDraft[] =>
    Array.from({ length: count }, (_, i) =>
      i % 10 === 9
        ? { hole: true, length: 2 ** 32 + i }
        : { hole: false, id: seededId(`extent ${i % 700}`), plainLength: 4096, offset: i % 96, length: 4000 },
    );
  const written = (count: number) => {
    const store = new PageStore();
    const writer = new ExtentsWriter(store.emit);
    for (const extent of make(count)) writer.add(extent);
    return { store, result: writer.finish() };
  };
  const nine = written(9);
  const many = written(1500);
  return {
    about:
      "Extent i of n: every tenth (i % 10 = 9) a hole of 2^32 + i bytes, else 4,000 bytes at i % 96 of chunk SHA-256('extent ' + i % 700). Page ids as in directories.json.",
    // Without the count of data bytes, which entries got later: sparse-entries.json has it.
    nine: { count: 9, result: toJson({ ...nine.result, dataBytes: undefined }), pages: pagesOf(nine.store) },
    many: { count: 1500, result: toJson({ ...many.result, dataBytes: undefined }), pages: pagesOf(many.store) },
  };
}

/** Records as a keyless reader sees them: right headers, arbitrary bodies. */
function pack(): unknown {
  const nonce = seededBytes("vector nonce", 16);
  const parts = [encodePackHeader({ kind: PackKind.metadata, nonce })];
  const rows: TrailerRow[] = [];
  let at = 32;
  for (const [i, type] of [RecordType.directory, RecordType.extents, RecordType.xattrs].entries()) {
    const header = Buffer.alloc(72);
    header.write("HFr1", "latin1");
    header[4] = 1;
    header[5] = type;
    header.writeUInt32LE(1, 8);
    header.writeUInt32LE(100 + i, 12);
    seededId(`vector record ${i}`).copy(header, 24);
    seededBytes(`vector iv ${i}`, 16).copy(header, 56);
    const record = Buffer.concat([header, seededBytes(`vector body ${i}`, 100 + i + 16)]);
    const hash16 = createHash("sha256").update(record).digest().subarray(0, 16);
    const writer = seededBytes(`vector writer ${i % 2}`, 16);
    const group = i * 0x7fff_ffff;
    parts.push(encodeFrame({ nonce, recordLength: record.length, group, writer, recordHash: hash16 }), record);
    const id = header.subarray(24, 56);
    rows.push({ id, offset: at + 64, length: record.length, group, writer, type, hash16 });
    at += 64 + record.length;
  }
  const trailer = encodeTrailer(rows);
  parts.push(trailer, encodeFooter({ kind: PackKind.metadata, nonce, trailerOffset: at, trailer }));
  return {
    about: "A closed metadata pack of three records (bodies are arbitrary) and the rows of its trailer; bytes are base64.",
    bytes: Buffer.concat(parts).toString("base64"),
    rows: rows.map(toJson),
  };
}

const vectors = { chunker, directories, extents, pack };
const there = Object.keys(vectors).filter((name) => existsSync(pathOf(name)));
if (there.length > 0) {
  console.error(`golden vectors never change in place; there already: ${there.join(", ")}`);
  process.exit(1);
}
for (const [name, make] of Object.entries(vectors)) {
  writeFileSync(pathOf(name), `${JSON.stringify(make(), null, 1)}\n`, { flag: "wx" });
}
