// Directory entries for tests: arbitrary legal ones, plain ones in large numbers, and a store of pages.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { isHoldfastError } from "../../vault/errors.ts";
import { DirectoryWriter, type WrittenDirectory } from "../../vault/tree/directoryWriter.ts";
import {
  type ChunkRef,
  type EntryDraft,
  EntryKind,
  type ExtentDraft,
  type Timestamp,
} from "../../vault/tree/entry.ts";
import { LeafPage, type Page, parsePage } from "../../vault/tree/page.ts";
import { seededBytes, seededId, seededTable } from "./seeded.ts";

/** Pages by id, as a vault would keep them. */
export class PageStore {
  readonly pages = new Map<string, { readonly plaintext: Buffer; readonly refs: Buffer }>();

  /** Takes a page; the id depends on plaintext and references. */
  readonly emit = (plaintext: Buffer, refs: Buffer): Buffer => {
    const id = createHash("sha256").update(refs).update("|").update(plaintext).digest();
    this.pages.set(id.toString("hex"), { plaintext, refs });
    return id;
  };

  /** Plaintext and references of a page that was emitted. */
  bytes(id: Uint8Array): { readonly plaintext: Buffer; readonly refs: Buffer } {
    return this.pages.get(Buffer.from(id).toString("hex"))!;
  }

  page(id: Uint8Array): Page {
    const { plaintext, refs } = this.bytes(id);
    return parsePage(plaintext, refs);
  }

  /** All leaf pages below a page, in order. */
  *leaves(id: Uint8Array): Generator<LeafPage> {
    const page = this.page(id);
    if (page instanceof LeafPage) yield page;
    else for (let i = 0; i < page.rowCount; i++) yield* this.leaves(page.ref(page.child(i).ordinal).id);
  }

  /** All entries of a directory, in order. */
  *drafts(id: Uint8Array): Generator<EntryDraft> {
    for (const leaf of this.leaves(id)) for (let i = 0; i < leaf.rowCount; i++) yield leaf.draft(i);
  }
}

/** The split table of writeDirectory. */
export const splitTable = seededTable("directory split");

/** Writes a directory, into a store of its own unless one is given. */
export function writeDirectory(
  entries: Iterable<EntryDraft>,
  store = new PageStore(),
): WrittenDirectory & { readonly store: PageStore } {
  const writer = new DirectoryWriter(splitTable, store.emit);
  for (const entry of entries) writer.add(entry);
  return { ...writer.finish(), store };
}

/** The code of the HoldfastError that the action throws, undefined when it does not throw. */
export function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return isHoldfastError(error) ? error.code : `not a HoldfastError: ${error}`;
  }
  return undefined;
}

/** A plain file in a bundle; `version` changes its content. */
export function plainDraft(name: string, version = 0): EntryDraft {
  const fileHash = seededId(`${name} ${version}`);
  return {
    name: Buffer.from(name),
    kind: EntryKind.file,
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    userName: "joe",
    groupName: "users",
    mtime: { seconds: 1_700_000_000 + version, nanoseconds: fileHash.readUInt32LE(0) % 1_000_000_000 },
    ctime: { seconds: 1_700_000_001, nanoseconds: 999_999_999 },
    btime: { seconds: 0, nanoseconds: 0 },
    device: 1n,
    inode: BigInt(fileHash.readUInt32LE(4)),
    linkCount: 1,
    xattrs: { form: "none" },
    size: 1000,
    fileHash,
    content: {
      form: "inline",
      extents: [
        {
          length: 1000,
          hole: false,
          id: seededId(`bundle ${fileHash[8]!}`),
          plainLength: 600_000,
          offset: fileHash.readUInt16LE(10),
        },
      ],
    },
  };
}

/** Names as Linux has them, a few long or not UTF-8. */
export const name: fc.Arbitrary<Buffer> = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 20 }),
    fc.string({ minLength: 1, maxLength: 12 }).map((text) => Buffer.from(text)),
    fc
      .tuple(fc.nat(), fc.integer({ min: 1, max: 1024 }))
      .map(([seed, length]) => seededBytes(`${seed}`, length)),
  )
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
  .filter((bytes) => bytes.length > 0 && !bytes.equals(Buffer.from(".")) && !bytes.equals(Buffer.from("..")));

const time: fc.Arbitrary<Timestamp> = fc.record({
  seconds: fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(-1, 0, -(2 ** 32), 2 ** 32)),
  nanoseconds: fc.nat(999_999_999),
});

const u32 = fc.oneof(fc.nat(2000), fc.integer({ min: 0, max: 0xffff_ffff }));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const count = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const ownerName = fc.oneof(
  fc.constantFrom("", "root", "joe"),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);

/** Few different ids, so that pages meet the same one twice; the plain length follows from the id. */
const ref: fc.Arbitrary<ChunkRef> = fc
  .nat(60)
  .map((i) => ({ id: seededId(`chunk ${i}`), plainLength: 1 + i * 69_000 }));

const extent: fc.Arbitrary<ExtentDraft> = fc.oneof(
  fc.record({ length: fc.integer({ min: 1, max: 2 ** 40 }), hole: fc.constant(true as const) }),
  fc.tuple(ref, fc.nat(), fc.nat()).map(([{ id, plainLength }, a, b]): ExtentDraft => {
    const offset = a % plainLength;
    return { hole: false, id, plainLength, offset, length: 1 + (b % (plainLength - offset)) };
  }),
);

const xattrList = fc
  .uniqueArray(
    fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 12 }).filter((bytes) => !bytes.includes(0)),
      fc.uint8Array({ maxLength: 60 }),
    ),
    { minLength: 1, maxLength: 6, selector: ([key]) => Buffer.from(key).toString("hex") },
  )
  .map((pairs) =>
    pairs
      .map(([key, value]) => ({ name: Buffer.from(key), value: Buffer.from(value) }))
      .sort((a, b) => Buffer.compare(a.name, b.name)),
  );

/** What depends on the kind. */
const fields: fc.Arbitrary<Partial<EntryDraft> & Pick<EntryDraft, "kind">> = fc.oneof(
  fc.constant({ kind: EntryKind.file, size: 0 }),
  fc.tuple(fc.array(extent, { minLength: 1, maxLength: 8 }), fc.nat()).map(([extents, seed]) => ({
    kind: EntryKind.file,
    size: extents.reduce((sum, { length }) => sum + length, 0),
    fileHash: seededId(`hash ${seed}`),
    content: { form: "inline" as const, extents },
  })),
  fc.tuple(ref, fc.integer({ min: 1 }), fc.nat(), fc.option(fc.nat())).map(([pages, size, seed, data]) => ({
    kind: EntryKind.file,
    size,
    fileHash: seededId(`hash ${seed}`),
    content: {
      form: "pages" as const,
      ...pages,
      ...(data === null || size === 1 ? {} : { dataBytes: 1 + (data % (size - 1)) }),
    },
  })),
  fc.tuple(ref, count, count, count).map(([root, files, directories, bytes]) => ({
    kind: EntryKind.directory,
    child: { ...root, files, directories, bytes },
  })),
  fc.tuple(fc.nat(), fc.oneof(fc.nat(100), fc.nat(32 * 1024))).map(([seed, length]) => ({
    kind: EntryKind.symlink,
    target: Buffer.from(seededBytes(`target ${seed}`, length).map((byte) => byte || 1)),
  })),
  fc.constantFrom({ kind: EntryKind.fifo }, { kind: EntryKind.socket }),
  fc
    .tuple(fc.constantFrom(EntryKind.characterDevice, EntryKind.blockDevice), u32, u32)
    .map(([kind, major, minor]) => ({ kind, major, minor })),
);

/** Any legal entry. */
export const draft: fc.Arbitrary<EntryDraft> = fc
  .tuple(
    fields,
    fc.record({
      name,
      mode: fc.nat(0o7777),
      uid: u32,
      gid: u32,
      userName: ownerName,
      groupName: ownerName,
      mtime: time,
      ctime: time,
      btime: time,
      device: u64,
      inode: u64,
      linkCount: u32,
      xattrs: fc.oneof(
        fc.constant({ form: "none" as const }),
        xattrList.map((list) => ({ form: "inline" as const, list })),
        ref.map((record) => ({ form: "record" as const, ...record })),
      ),
    }),
  )
  .map(([own, common]) => ({ ...common, ...own }));

/** A directory: entries with different names, in order. */
export function directory(maxLength: number): fc.Arbitrary<EntryDraft[]> {
  return fc
    .uniqueArray(draft, { maxLength, selector: (entry) => entry.name.toString("hex") })
    .map((entries) => entries.sort((a, b) => Buffer.compare(a.name, b.name)));
}
