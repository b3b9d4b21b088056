// The golden vectors of chunker, trees and packs, both ways: what is written is those bytes, and those bytes are read.
import { describe, expect, test } from "vitest";
import { BundlePlanner } from "../../vault/chunk/bundle.ts";
import { type Chunker, fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";
import { splitHash } from "../../vault/chunk/split.ts";
import { openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { parsePackHeader } from "../../vault/pack/packHeader.ts";
import { recoverFrames } from "../../vault/pack/recover.ts";
import { encodeTrailer } from "../../vault/pack/trailer.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import type { EntryDraft, ExtentDraft } from "../../vault/tree/entry.ts";
import { parseExtentPage } from "../../vault/tree/extentPage.ts";
import { ExtentsWriter } from "../../vault/tree/extentsWriter.ts";
import { type LeafPage, parsePage } from "../../vault/tree/page.ts";
import chunker from "../vectors/chunker.json" with { type: "json" };
import directories from "../vectors/directories.json" with { type: "json" };
import extents from "../vectors/extents.json" with { type: "json" };
import imageChunks from "../vectors/image-chunks.json" with { type: "json" };
import pack from "../vectors/pack.json" with { type: "json" };
import sparseEntries from "../vectors/sparse-entries.json" with { type: "json" };
import { type PageVector, sparseContent, toJson } from "../vectors/structures.ts";
import { PageStore, plainDraft } from "./drafts.ts";
import { seededBytes, seededId, seededTable } from "./seeded.ts";

const split = seededTable("vector split");

function bytes(base64: string): Buffer {
  return Buffer.from(base64, "base64");
}

/** The pages of a vector, and that emit() of the same bytes gives the same ids. */
function load(pages: readonly PageVector[]): PageStore {
  const store = new PageStore();
  for (const { id, plaintext, refs } of pages) {
    expect(store.emit(bytes(plaintext), bytes(refs)).toString("hex")).toBe(id);
  }
  return store;
}

function writeDirectory(entries: Iterable<EntryDraft>): PageStore {
  const store = new PageStore();
  const writer = new DirectoryWriter(split, store.emit);
  for (const entry of entries) writer.add(entry);
  writer.finish();
  return store;
}

describe("chunker", () => {
  test.each(chunker.cuts)("cuts of $label", ({ label, length, ends }) => {
    const content = seededBytes(label, length);
    const gear = seededTable("vector gear");
    let start = 0;
    for (const end of ends) {
      expect(nextCut(content, start, length, gear)).toBe(end);
      start = end;
    }
    expect(start).toBe(length);
  });

  test("hashes of names and starts of bundles", () => {
    for (const { name, hash } of chunker.names) expect(splitHash(Buffer.from(name), split)).toBe(hash);
    const planner = new BundlePlanner(split);
    for (const { uid, size, name, starts } of chunker.files) {
      expect(planner.add({ uid, size, name: Buffer.from(name) }) === "startNew").toBe(starts);
    }
  });
});

describe("chunkers of disk images", () => {
  test.each(imageChunks.cuts)("cuts by $chunker from $from to $to", ({ chunker, from, to, ends }) => {
    const chunkBytes = fixedChunkBytes(chunker as Chunker, Buffer.alloc(0), to) as number;
    const found: number[] = [];
    for (let at = from; at < to; found.push(at)) at += nextFixedCut(chunkBytes, at, 0, to - at);
    expect(found).toEqual(ends);
  });

  test.each(imageChunks.files)("$name of $size bytes: $chunker", ({ name, size, chunker }) => {
    const expected = fixedChunkBytes(chunker as Chunker, Buffer.alloc(0), size);
    expect(fixedChunkBytes("auto-1", Buffer.from(name), size)).toBe(expected);
  });
});

describe("directory pages", () => {
  test("of one entry of every kind", () => {
    const { entries, pages } = directories.everyKind;
    const leaf = parsePage(bytes(pages[0]!.plaintext), bytes(pages[0]!.refs)) as LeafPage;
    const drafts = Array.from({ length: leaf.rowCount }, (_, i) => leaf.draft(i));
    expect(drafts.map(toJson)).toEqual(entries);
    expect(writeDirectory(drafts).pages).toEqual(load(pages).pages);
  });

  test("of an empty directory", () => {
    expect(writeDirectory([]).pages).toEqual(load(directories.empty.pages).pages);
  });

  test("of 20,000 entries", () => {
    const { pages, root, rows } = directories.large;
    const names = Array.from({ length: rows }, (_, i) => `entry ${String(i).padStart(6, "0")}`);
    const store = writeDirectory(names.map((name) => plainDraft(name)));
    expect([...store.pages].map(([id, page]) => ({ id, bytes: page.plaintext.length }))).toEqual(pages);
    expect([...store.drafts(Buffer.from(root, "hex"))].map(({ name }) => name.toString())).toEqual(names);
  });
});

test("directory page of sparse files, whose entries count their data", () => {
  const { files, entries, pages, extentPages } = sparseEntries;
  const store = load(pages);
  const [page] = [...store.pages.values()];
  const leaf = parsePage(page!.plaintext, page!.refs) as LeafPage;
  const drafts = Array.from({ length: leaf.rowCount }, (_, i) => leaf.draft(i));
  expect(drafts.map(toJson)).toEqual(entries);
  expect(writeDirectory(drafts).pages).toEqual(store.pages);
  const extentStore = new PageStore();
  for (const { name, extents: count, holeBytes, dataBytes } of files) {
    const written = sparseContent(count, holeBytes, extentStore);
    expect(written).toMatchObject({ form: "pages", dataBytes });
    const { length, ...content } = written;
    const draft = drafts.find((entry) => entry.name.toString() === name)!;
    expect([draft.size, draft.content]).toEqual([length, content]);
  }
  expect(extentStore.pages).toEqual(load(extentPages).pages);
});

test.each([extents.nine, extents.many])("extent pages of $count extents", ({ count, result, pages }) => {
  const store = new PageStore();
  const writer = new ExtentsWriter(store.emit);
  for (let i = 0; i < count; i++) {
    const chunk = { hole: false as const, id: seededId(`extent ${i % 700}`), plainLength: 4096 };
    const extent: ExtentDraft =
      i % 10 === 9 ? { hole: true, length: 2 ** 32 + i } : { ...chunk, offset: i % 96, length: 4000 };
    writer.add(extent);
  }
  expect(toJson({ ...writer.finish(), dataBytes: undefined })).toEqual(result);
  expect(store.pages).toEqual(load(pages).pages);
  const top = store.bytes(bytes(result.id));
  expect(parseExtentPage(top.plaintext, top.refs).length).toBe(result.length);
});

test("pack", () => {
  const file = bytes(pack.bytes);
  const { kind, nonce } = parsePackHeader(file);
  const footer = parseFooter(file.subarray(-72), file.length);
  expect([footer.kind, footer.nonce]).toEqual([kind, nonce]);
  const trailer = file.subarray(footer.trailerOffset, footer.trailerOffset + footer.trailerLength);
  const rows = openTrailer(footer, trailer);
  expect(rows.map(toJson)).toEqual(pack.rows);
  expect(encodeTrailer(rows).equals(trailer)).toBe(true);
  const reader = {
    size: file.length,
    read: (offset: number, length: number) => file.subarray(offset, offset + length),
  };
  const recovered = [...recoverFrames(reader)].map(({ frame, recordOffset, header, hash16 }) => ({
    id: header.id,
    offset: recordOffset,
    length: header.recordLength,
    group: frame.group,
    writer: frame.writer,
    type: header.type,
    hash16,
  }));
  expect(recovered.map(toJson)).toEqual(pack.rows);
});
