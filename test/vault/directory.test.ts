import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../vault/limits.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { directory, name, PageStore, plainDraft, writeDirectory } from "./drafts.ts";
import { seededId } from "./seeded.ts";

describe("a directory", () => {
  test("comes back as it was written, whatever its entries", () => {
    fc.assert(
      fc.property(directory(120), (entries) => {
        const { id, rows, plainLength, store } = writeDirectory(entries);
        expect(rows).toBe(entries.length);
        expect(store.bytes(id).plaintext.length).toBe(plainLength);
        expect([...store.drafts(id)]).toEqual(entries);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps to the limits of pages, whatever its entries", () => {
    fc.assert(
      fc.property(directory(120), (entries) => {
        for (const { plaintext, refs } of writeDirectory(entries).store.pages.values()) {
          expect(plaintext.length).toBeLessThanOrEqual(limits.pageBytesMax);
          expect(refs.length / 32).toBeLessThanOrEqual(limits.refsPerRecordMax);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("is the same pages when written again from its own pages", () => {
    fc.assert(
      fc.property(directory(80), (entries) => {
        const first = writeDirectory(entries);
        const second = writeDirectory(first.store.drafts(first.id));
        expect(second.id).toEqual(first.id);
        expect([...second.store.pages.keys()]).toEqual([...first.store.pages.keys()]);
      }),
      { numRuns: 30 },
    );
  });

  test("without entries is one page without rows", () => {
    const { id, rows, plainLength, store } = writeDirectory([]);
    expect({ rows, plainLength, pages: store.pages.size }).toEqual({ rows: 0, plainLength: 9, pages: 1 });
    expect(store.page(id).rowCount).toBe(0);
  });

  test("gives the numbers of its entries without building them, and finds names as a scan does", () => {
    fc.assert(
      fc.property(directory(60), fc.array(name, { maxLength: 10 }), (entries, others) => {
        const { id, store } = writeDirectory(entries);
        const stat = emptyRowStat();
        for (const leaf of store.leaves(id)) {
          for (let i = 0; i < leaf.rowCount; i++) {
            const entry = leaf.entry(i);
            leaf.statAt(i, stat);
            expect(stat).toEqual({
              kind: entry.kind,
              mode: entry.mode,
              uid: entry.uid,
              gid: entry.gid,
              mtimeSeconds: entry.mtime.seconds,
              mtimeNanoseconds: entry.mtime.nanoseconds,
              ctimeSeconds: entry.ctime.seconds,
              ctimeNanoseconds: entry.ctime.nanoseconds,
              deviceLow: Number(entry.device % 2n ** 32n),
              deviceHigh: Number(entry.device / 2n ** 32n),
              inodeLow: Number(entry.inode % 2n ** 32n),
              inodeHigh: Number(entry.inode / 2n ** 32n),
              linkCount: entry.linkCount,
              hasXattrs: entry.xattrs.form !== "none",
              size: entry.size ?? 0,
            });
            expect(leaf.find(entry.name)).toEqual(entry);
          }
          const names = Array.from({ length: leaf.rowCount }, (_, i) => leaf.nameAt(i));
          for (const other of others) {
            expect(leaf.indexOf(other)).toBe(names.findIndex((known) => known.equals(other)));
            const bound = names.findIndex((known) => Buffer.compare(known, other) >= 0);
            expect(leaf.lowerBound(other)).toBe(bound < 0 ? leaf.rowCount : bound);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("pages end before 2,048 references", () => {
  const many = Array.from({ length: 700 }, (_, i): EntryDraft => {
    const extents = Array.from({ length: 8 }, (_, k) => ({
      hole: false as const,
      id: seededId(`${i} ${k}`),
      plainLength: 1,
      offset: 0,
      length: 1,
    }));
    return { ...plainDraft(String(i).padStart(4, "0")), size: 8, content: { form: "inline", extents } };
  });
  // a splitTable whose hashes never have zeros on top
  const store = new PageStore();
  const writer = new DirectoryWriter(new Uint32Array(256).fill(0xffff_ffff), store.emit);
  for (const entry of many) writer.add(entry);
  const { id } = writer.finish();
  const counts = [...store.leaves(id)].map((leaf) => leaf.refPlainLengths.length);
  expect(Math.max(...counts)).toBeLessThanOrEqual(2048);
  expect([...store.drafts(id)]).toEqual(many);
});

describe("the largest entry", () => {
  test("fits a page", () => {
    const largest: EntryDraft = {
      ...plainDraft("x"),
      name: Buffer.alloc(1024, 0x78),
      kind: EntryKind.symlink,
      userName: "u".repeat(256),
      groupName: "g".repeat(256),
      uid: 0xffff_ffff,
      xattrs: {
        form: "inline",
        list: [{ name: Buffer.alloc(500, 0x79), value: Buffer.alloc(519) }],
      },
      target: Buffer.alloc(32 * 1024, 0x7a),
    };
    const { size: _size, fileHash: _hash, content: _content, ...entry } = largest;
    const { id, store } = writeDirectory([entry]);
    expect([...store.drafts(id)]).toEqual([entry]);
  });
});
