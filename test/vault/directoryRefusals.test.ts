import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { LeafPage, parsePage } from "../../vault/tree/page.ts";
import { encodeXattrs, parseXattrs } from "../../vault/tree/xattrs.ts";
import { codeOf, draft, PageStore, plainDraft, splitTable, writeDirectory } from "./drafts.ts";
import { seededBytes, seededId } from "./seeded.ts";

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
    ["no bytes of data", withData(0), "corrupt"],
    ["data without a hole", withData(1000), "corrupt"],
    ["half a byte of data", withData(1.5), "corrupt"],
  ];

  function withData(dataBytes: number): EntryDraft {
    return { ...legal, content: { form: "pages", id: seededId("x"), plainLength: 152, dataBytes } };
  }

  function withExtents(extents: NonNullable<typeof file>[]): EntryDraft {
    return { ...legal, size: extents.length * 1000, content: { form: "inline", extents } };
  }

  test.each(refused)("%s", (_what, entry, code) => {
    const store = new PageStore();
    const writer = new DirectoryWriter(splitTable, store.emit);
    writer.add(plainDraft("aaa"));
    expect(codeOf(() => writer.add(entry))).toBe(code);
    // and the writer goes on as if nothing had been
    writer.add(plainDraft("zzz"));
    expect(writer.finish().id).toEqual(writeDirectory([plainDraft("aaa"), plainDraft("zzz")]).id);
  });

  test("names twice or out of order", () => {
    const writer = new DirectoryWriter(splitTable, new PageStore().emit);
    writer.add(plainDraft("b"));
    expect(codeOf(() => writer.add(plainDraft("b")))).toBe("corrupt");
    expect(codeOf(() => writer.add(plainDraft("a")))).toBe("corrupt");
  });

  test("one id with two plain lengths", () => {
    const writer = new DirectoryWriter(splitTable, new PageStore().emit);
    const pages = (text: string, plainLength: number): EntryDraft => ({
      ...plainDraft(text),
      content: { form: "pages", id: seededId("x"), plainLength },
    });
    writer.add(pages("a", 5));
    expect(codeOf(() => writer.add(pages("b", 6)))).toBe("corrupt");
  });
});

describe("what a parser refuses", () => {
  const { store, id } = writeDirectory([plainDraft("a"), plainDraft("b"), plainDraft("c")]);
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
    expect(codeOf(() => parsePage(bytes, refs))).toMatch(/^(corrupt|truncated)$/);
  });

  test("a huge row count, before it allocates", () => {
    const bytes = Buffer.from(plaintext);
    bytes.writeUInt32LE(0xffff_ffff, 4);
    expect(codeOf(() => parsePage(bytes, refs))).toBe("truncated");
  });

  test("references that do not fit", () => {
    expect(codeOf(() => parsePage(plaintext, refs.subarray(1)))).toBe("corrupt");
    expect(codeOf(() => parsePage(plaintext, Buffer.alloc(2049 * 32)))).toBe("corrupt");
    expect(codeOf(() => parsePage(plaintext, Buffer.alloc(0)))).toMatch(/^(corrupt|truncated)$/);
  });

  test.each([0, 100])("%i bytes of data in a sparse file of 100", (dataBytes) => {
    const content = { form: "pages", id: seededId("x"), plainLength: 152, dataBytes: 99 } as const;
    const sparse = writeDirectory([{ ...plainDraft("a"), size: 100, content }]);
    const page = sparse.store.bytes(sparse.id);
    const bytes = Buffer.from(page.plaintext);
    expect((parsePage(bytes, page.refs) as LeafPage).entry(0).content).toMatchObject({ dataBytes: 99 });
    bytes[bytes.length - 1] = dataBytes;
    expect(codeOf(() => (parsePage(bytes, page.refs) as LeafPage).entry(0))).toBe("corrupt");
  });

  test("an owner name that is not UTF-8", () => {
    const at = plaintext.indexOf("joe");
    expect(codeOf(() => parsePage(patched(at, 0xff), refs))).toBe("corrupt");
  });
});

test("attributes come back sorted, and a name twice is refused", () => {
  const list = [
    { name: Buffer.from("user.b"), value: Buffer.from("2") },
    { name: Buffer.from("user.a"), value: seededBytes("value", 3000) },
  ];
  expect(parseXattrs(encodeXattrs(list))).toEqual([list[1], list[0]]);
  expect(parseXattrs(encodeXattrs([]))).toEqual([]);
  expect(codeOf(() => encodeXattrs([list[0]!, list[0]!]))).toBe("corrupt");
  expect(codeOf(() => encodeXattrs([{ name: Buffer.alloc(0), value: Buffer.alloc(0) }]))).toBe("corrupt");
  const large = [{ name: Buffer.from("user.x"), value: Buffer.alloc(4 * 1024 * 1024) }];
  expect(codeOf(() => encodeXattrs(large))).toBe("limit-exceeded");
  const reversed = Buffer.from("\x02\x01b\x00\x01a\x00", "latin1");
  expect(codeOf(() => parseXattrs(reversed))).toBe("corrupt");
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
        const { store, id } = writeDirectory(unique);
        const { plaintext, refs } = store.bytes(id);
        const bytes = Buffer.from(truncate ? plaintext.subarray(0, cut % plaintext.length) : plaintext);
        for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
        const code = codeOf(() => {
          const page = parsePage(bytes, refs);
          for (let i = 0; i < page.rowCount; i++) {
            if (page instanceof LeafPage) {
              const failure = codeOf(() => page.statAt(i, emptyRowStat()));
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
