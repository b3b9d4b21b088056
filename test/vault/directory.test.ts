import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitHash } from "../../vault/chunk/split.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { DirectoryWriter, type WrittenDirectory } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { BranchPage, LeafPage, parsePage } from "../../vault/tree/page.ts";
import { encodeXattrs, parseXattrs } from "../../vault/tree/xattrs.ts";
import { directory, draft, name, PageStore, plainDraft } from "./drafts.ts";
import { seededBytes, seededId, seededTable } from "./seeded.ts";

const table = seededTable("directory split");

function write(
  entries: Iterable<EntryDraft>,
  store = new PageStore(),
): WrittenDirectory & { store: PageStore } {
  const writer = new DirectoryWriter(table, store.emit);
  for (const entry of entries) writer.add(entry);
  return { ...writer.finish(), store };
}

function thrown(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return isHoldfastError(error) ? error.code : `not a HoldfastError: ${error}`;
  }
  return undefined;
}

describe("a directory", () => {
  test("comes back as it was written, whatever its entries", () => {
    fc.assert(
      fc.property(directory(120), (entries) => {
        const { id, rows, plainLength, store } = write(entries);
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
        for (const { plaintext, refs } of write(entries).store.pages.values()) {
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
        const first = write(entries);
        const second = write(first.store.drafts(first.id));
        expect(second.id).toEqual(first.id);
        expect([...second.store.pages.keys()]).toEqual([...first.store.pages.keys()]);
      }),
      { numRuns: 30 },
    );
  });

  test("without entries is one page without rows", () => {
    const { id, rows, plainLength, store } = write([]);
    expect({ rows, plainLength, pages: store.pages.size }).toEqual({ rows: 0, plainLength: 9, pages: 1 });
    expect(store.page(id).rowCount).toBe(0);
  });

  test("gives the numbers of its entries without building them, and finds names as a scan does", () => {
    fc.assert(
      fc.property(directory(60), fc.array(name, { maxLength: 10 }), (entries, others) => {
        const { id, store } = write(entries);
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

describe("a directory of 100,000 entries", () => {
  const names = Array.from(
    { length: 100_000 },
    (_, i) => `IMG_${seededId(`name ${i}`).toString("hex", 0, 6)}.jpeg`,
  );
  const entries = [...new Set(names)].sort().map((text) => plainDraft(text));
  const before = write(entries);
  const leafSizes = (store: PageStore) =>
    [...store.pages.values()].flatMap(({ plaintext }) => (plaintext[0] === 0 ? [plaintext.length] : []));

  /** Pages of the edited directory that the old one does not have. */
  function newPages(edited: EntryDraft[]): number {
    const after = write(edited);
    expect(after.rows).toBe(edited.length);
    return [...after.store.pages.keys()].filter((id) => !before.store.pages.has(id)).length;
  }

  test("has pages of sensible sizes and few levels", () => {
    const sizes = leafSizes(before.store);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(mean).toBeGreaterThan(8 * 1024);
    expect(mean).toBeLessThan(20 * 1024);
    expect(sizes.filter((size) => size < limits.pageBytesMin).length).toBeLessThanOrEqual(1);
    expect(before.store.page(before.id).level).toBe(2);
  });

  test("ends its pages where format.md says", () => {
    const leaves = [...before.store.leaves(before.id)];
    for (const [i, leaf] of leaves.slice(0, -1).entries()) {
      const last = leaf.nameAt(leaf.rowCount - 1);
      const next = leaves[i + 1]!.draft(0);
      const boundary = splitHash(last, table) >>> 26 === 0;
      const full = write([...rows(leaf), next]).store.pages.size > 1;
      expect(boundary || full).toBe(true);
      for (let row = 0; row < leaf.rowCount - 1; row++) {
        if (splitHash(leaf.nameAt(row), table) >>> 26 !== 0) continue;
        const upTo = new PageStore();
        const { plainLength } = write(rows(leaf).slice(0, row + 1), upTo);
        expect(upTo.pages.size === 1 && plainLength < limits.pageBytesMin).toBe(true);
      }
    }
  });

  function rows(leaf: LeafPage): EntryDraft[] {
    return Array.from({ length: leaf.rowCount }, (_, i) => leaf.draft(i));
  }

  test("rewrites few pages when one entry is changed, added or removed", () => {
    fc.assert(
      fc.property(fc.nat(entries.length - 1), fc.constantFrom("change", "add", "remove"), (at, edit) => {
        const edited = [...entries];
        const old = edited[at]!.name.toString();
        if (edit === "change") edited[at] = plainDraft(old, 1);
        else if (edit === "add") edited.splice(at + 1, 0, plainDraft(`${old}~`));
        else edited.splice(at, 1);
        expect(newPages(edited)).toBeLessThanOrEqual(16);
      }),
      { numRuns: 6 },
    );
  });

  test("is found by walking down from the root", () => {
    for (let i = 0; i < entries.length; i += 997) {
      const wanted = entries[i]!.name;
      let page = before.store.page(before.id);
      let steps = 1;
      while (page instanceof BranchPage) {
        page = before.store.page(page.ref(page.child(page.childFor(wanted)).ordinal).id);
        steps++;
      }
      expect(page.find(wanted)?.name).toEqual(wanted);
      expect(steps).toBe(3);
    }
    const root = before.store.page(before.id) as BranchPage;
    expect(root.childFor(Buffer.from("0"))).toBe(-1);
    let below = 0;
    for (let i = 0; i < root.rowCount; i++) below += root.child(i).rows;
    expect(below).toBe(entries.length);
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
  // a table whose hashes never have zeros on top
  const store = new PageStore();
  const writer = new DirectoryWriter(new Uint32Array(256).fill(0xffff_ffff), store.emit);
  for (const entry of many) writer.add(entry);
  const { id } = writer.finish();
  const counts = [...store.leaves(id)].map((leaf) => leaf.refPlainLengths.length);
  expect(Math.max(...counts)).toBeLessThanOrEqual(2048);
  expect([...store.drafts(id)]).toEqual(many);
});

describe("what a writer refuses", () => {
  const legal = plainDraft("legal");
  const file = legal.content?.form === "inline" ? legal.content.extents[0]! : undefined;
  const link: EntryDraft = { ...specialDraft(EntryKind.symlink), target: Buffer.from("x") };

  function specialDraft(kind: EntryKind): EntryDraft {
    const { size: _size, fileHash: _hash, content: _content, ...rest } = legal;
    return { ...rest, kind };
  }

  const refused: [string, EntryDraft, string][] = [
    ["an empty name", { ...legal, name: Buffer.alloc(0) }, "corrupt"],
    [".", { ...legal, name: Buffer.from(".") }, "corrupt"],
    ["..", { ...legal, name: Buffer.from("..") }, "corrupt"],
    ["a slash", { ...legal, name: Buffer.from("a/b") }, "corrupt"],
    ["a NUL", { ...legal, name: Buffer.from("a\0b") }, "corrupt"],
    ["a long name", { ...legal, name: Buffer.alloc(1025, 0x61) }, "limit-exceeded"],
    ["13 bits of mode", { ...legal, mode: 0o10000 }, "corrupt"],
    ["a negative uid", { ...legal, uid: -1 }, "corrupt"],
    ["a gid of 33 bits", { ...legal, gid: 2 ** 32 }, "corrupt"],
    ["an inode of 65 bits", { ...legal, inode: 2n ** 64n }, "corrupt"],
    ["half a surrogate", { ...legal, userName: "\ud800" }, "corrupt"],
    ["a long owner name", { ...legal, groupName: "g".repeat(257) }, "limit-exceeded"],
    ["a second of nanoseconds", { ...legal, mtime: { seconds: 0, nanoseconds: 1e9 } }, "corrupt"],
    ["half a second", { ...legal, mtime: { seconds: 0.5, nanoseconds: 0 } }, "corrupt"],
    ["a file without size", specialDraft(EntryKind.file), "corrupt"],
    ["a fifo with size", { ...legal, kind: EntryKind.fifo }, "corrupt"],
    ["a directory without child", specialDraft(EntryKind.directory), "corrupt"],
    ["a link without target", specialDraft(EntryKind.symlink), "corrupt"],
    ["a target with NUL", { ...link, target: Buffer.alloc(1) }, "corrupt"],
    ["a long target", { ...link, target: Buffer.alloc(32 * 1024 + 1, 1) }, "limit-exceeded"],
    ["a device without numbers", specialDraft(EntryKind.blockDevice), "corrupt"],
    ["a size that extents do not cover", { ...legal, size: 1001 }, "corrupt"],
    ["a size that extents overrun", { ...legal, size: 999 }, "corrupt"],
    ["content of an empty file", { ...legal, size: 0 }, "corrupt"],
    [
      "an extent outside its chunk",
      withExtents([{ ...file!, hole: false, offset: 599_001 } as never]),
      "corrupt",
    ],
    ["nine extents", withExtents(Array.from({ length: 9 }, () => file!)), "limit-exceeded"],
    [
      "large inline attributes",
      {
        ...legal,
        xattrs: { form: "inline", list: [{ name: Buffer.from("user.a"), value: Buffer.alloc(1024) }] },
      },
      "limit-exceeded",
    ],
    [
      "a chunk over 4 MiB",
      { ...legal, content: { form: "pages", id: seededId("x"), plainLength: 2 ** 22 + 1 } },
      "limit-exceeded",
    ],
  ];

  function withExtents(extents: NonNullable<typeof file>[]): EntryDraft {
    return { ...legal, size: extents.length * 1000, content: { form: "inline", extents } };
  }

  test.each(refused)("%s", (_what, entry, code) => {
    const store = new PageStore();
    const writer = new DirectoryWriter(table, store.emit);
    writer.add(plainDraft("aaa"));
    expect(thrown(() => writer.add(entry))).toBe(code);
    // and the writer goes on as if nothing had been
    writer.add(plainDraft("zzz"));
    expect(writer.finish().id).toEqual(write([plainDraft("aaa"), plainDraft("zzz")]).id);
  });

  test("names twice or out of order", () => {
    const writer = new DirectoryWriter(table, new PageStore().emit);
    writer.add(plainDraft("b"));
    expect(thrown(() => writer.add(plainDraft("b")))).toBe("corrupt");
    expect(thrown(() => writer.add(plainDraft("a")))).toBe("corrupt");
  });

  test("one id with two plain lengths", () => {
    const writer = new DirectoryWriter(table, new PageStore().emit);
    const pages = (text: string, plainLength: number): EntryDraft => ({
      ...plainDraft(text),
      content: { form: "pages", id: seededId("x"), plainLength },
    });
    writer.add(pages("a", 5));
    expect(thrown(() => writer.add(pages("b", 6)))).toBe("corrupt");
  });
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
    const { id, store } = write([entry]);
    expect([...store.drafts(id)]).toEqual([entry]);
  });
});

describe("what a parser refuses", () => {
  const { store, id } = write([plainDraft("a"), plainDraft("b"), plainDraft("c")]);
  const { plaintext, refs } = store.bytes(id);

  /** The page with one byte changed. */
  function patched(at: number, value: number): Buffer {
    const bytes = Buffer.from(plaintext);
    bytes[at] = value;
    return bytes;
  }

  /** Where the name of row i stands. */
  function nameAt(i: number): number {
    return (parsePage(plaintext, refs) as LeafPage).nameAt(i).byteOffset - plaintext.byteOffset;
  }

  test.each([
    ["names out of order", patched(nameAt(0), 0x62)],
    ["names twice", patched(nameAt(1), 0x61)],
    ["a slash", patched(nameAt(2), 0x2f)],
    ["a dot", patched(nameAt(0), 0x2e)],
    ["level 9", patched(0, 9)],
    ["reserved bytes", patched(2, 1)],
    ["a row more", patched(4, 4)],
    ["a row less", patched(4, 2)],
    ["trailing bytes", Buffer.concat([plaintext, Buffer.alloc(1)])],
    ["over 64 KiB", Buffer.alloc(65 * 1024)],
    ["nothing", Buffer.alloc(0)],
  ])("%s", (_what, bytes) => {
    expect(thrown(() => parsePage(bytes, refs))).toMatch(/^(corrupt|truncated)$/);
  });

  test("a huge row count, before it allocates", () => {
    const bytes = Buffer.from(plaintext);
    bytes.writeUInt32LE(0xffff_ffff, 4);
    expect(thrown(() => parsePage(bytes, refs))).toBe("truncated");
  });

  test("references that do not fit", () => {
    expect(thrown(() => parsePage(plaintext, refs.subarray(1)))).toBe("corrupt");
    expect(thrown(() => parsePage(plaintext, Buffer.alloc(2049 * 32)))).toBe("corrupt");
    expect(thrown(() => parsePage(plaintext, Buffer.alloc(0)))).toMatch(/^(corrupt|truncated)$/);
  });

  test("an owner name that is not UTF-8", () => {
    const at = plaintext.indexOf("joe");
    expect(thrown(() => parsePage(patched(at, 0xff), refs))).toBe("corrupt");
  });
});

test("attributes come back sorted, and a name twice is refused", () => {
  const list = [
    { name: Buffer.from("user.b"), value: Buffer.from("2") },
    { name: Buffer.from("user.a"), value: seededBytes("value", 3000) },
  ];
  expect(parseXattrs(encodeXattrs(list))).toEqual([list[1], list[0]]);
  expect(parseXattrs(encodeXattrs([]))).toEqual([]);
  expect(thrown(() => encodeXattrs([list[0]!, list[0]!]))).toBe("corrupt");
  expect(thrown(() => encodeXattrs([{ name: Buffer.alloc(0), value: Buffer.alloc(0) }]))).toBe("corrupt");
  const large = [{ name: Buffer.from("user.x"), value: Buffer.alloc(4 * 1024 * 1024) }];
  expect(thrown(() => encodeXattrs(large))).toBe("limit-exceeded");
  const reversed = Buffer.from("\x02\x01b\x00\x01a\x00", "latin1");
  expect(thrown(() => parseXattrs(reversed))).toBe("corrupt");
});

test("fuzz: a damaged page gives HoldfastErrors only", () => {
  fc.assert(
    fc.property(
      fc.array(draft, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(),
      fc.boolean(),
      (drafts, flips, cut, truncate) => {
        const unique = [...new Map(drafts.map((one) => [one.name.toString("latin1"), one])).values()];
        unique.sort((a, b) => Buffer.compare(a.name, b.name));
        const { store, id } = write(unique);
        const { plaintext, refs } = store.bytes(id);
        const bytes = Buffer.from(truncate ? plaintext.subarray(0, cut % plaintext.length) : plaintext);
        for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
        const code = thrown(() => {
          const page = parsePage(bytes, refs);
          for (let i = 0; i < page.rowCount; i++) {
            if (page instanceof LeafPage) {
              const failure = thrown(() => page.statAt(i, emptyRowStat()));
              expect(failure ?? "corrupt").toMatch(/^(corrupt|truncated)$/);
              page.draft(i);
            } else {
              page.child(i);
            }
          }
        });
        expect(code ?? "corrupt").toMatch(/^(corrupt|truncated)$/);
      },
    ),
    { numRuns: 400 },
  );
});
