import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../vault/limits.ts";
import type { ExtentDraft } from "../../vault/tree/entry.ts";
import { type ExtentPage, parseExtentPage } from "../../vault/tree/extentPage.ts";
import { ExtentsWriter, type WrittenExtents } from "../../vault/tree/extentsWriter.ts";
import { codeOf, PageStore } from "./drafts.ts";
import { seededId } from "./seeded.ts";

type Named = { length: number; hole: true } | { length: number; hole: false; id: Buffer; offset: number };

function write(extents: Iterable<ExtentDraft>): WrittenExtents & { store: PageStore } {
  const store = new PageStore();
  const writer = new ExtentsWriter(store.emit);
  for (const extent of extents) writer.add(extent);
  return { ...writer.finish(), store };
}

/** All extents below a page, checking what each row says about the page below it. */
function* read(
  store: PageStore,
  id: Uint8Array,
  expected: { level?: number; length: number },
): Generator<Named> {
  const { plaintext, refs } = store.bytes(id);
  const page = parseExtentPage(plaintext, refs, expected);
  for (let i = 0; i < page.rowCount; i++) {
    const extent = page.extent(i);
    if (extent.hole) yield extent;
    else if (page.level > 0) {
      yield* read(store, page.id(extent.ordinal), { level: page.level - 1, length: extent.length });
    } else {
      const { length, offset } = extent;
      yield { length, hole: false, id: page.id(extent.ordinal), offset };
    }
  }
}

/** Holes joined, plain lengths dropped. */
function canonical(extents: readonly ExtentDraft[]): Named[] {
  const joined: Named[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    if (extent.hole && last?.hole)
      joined[joined.length - 1] = { hole: true, length: last.length + extent.length };
    else if (extent.hole) joined.push(extent);
    else
      joined.push({ length: extent.length, hole: false, id: Buffer.from(extent.id), offset: extent.offset });
  }
  return joined;
}

/** Runs of extents: chunks from a small or a large set, holes now and then. */
const extents = fc
  .array(
    fc.record({
      count: fc.integer({ min: 1, max: 400 }),
      kind: fc.constantFrom("chunks", "chunks", "same", "hole", "mixed"),
      seed: fc.nat(1000),
    }),
    { maxLength: 12 },
  )
  .map((runs) =>
    runs.flatMap(({ count, kind, seed }) =>
      Array.from({ length: kind === "hole" ? 2 : count }, (_, i): ExtentDraft => {
        if (kind === "hole" || (kind === "mixed" && i % 2 === 0))
          return { hole: true, length: 1 + seed * 2 ** 30 };
        const id = seededId(kind === "same" ? `same ${seed % 3}` : `chunk ${seed} ${i}`);
        const plainLength = 1 + (id.readUInt32LE(4) % limits.plainBytesMax);
        const offset = id.readUInt32LE(8) % plainLength;
        return {
          hole: false,
          id,
          plainLength,
          offset,
          length: 1 + (id.readUInt32LE(12) % (plainLength - offset)),
        };
      }),
    ),
  );

function chunk(i: number, length = 1024 * 1024): ExtentDraft {
  return { hole: false, id: seededId(`large ${i}`), plainLength: length, offset: 0, length };
}

describe("extents", () => {
  test("come back as they were written", () => {
    fc.assert(
      fc.property(extents, (drafts) => {
        const written = write(drafts);
        const wanted = canonical(drafts);
        expect(written.length).toBe(wanted.reduce((sum, { length }) => sum + length, 0));
        expect(written.form).toBe(wanted.length <= limits.inlineExtentsMax ? "inline" : "pages");
        if (written.form === "inline") expect(canonical(written.extents)).toEqual(wanted);
        else {
          expect([...read(written.store, written.id, { length: written.length })]).toEqual(wanted);
          const data = wanted.filter(({ hole }) => !hole).reduce((sum, { length }) => sum + length, 0);
          expect(written.dataBytes).toBe(data === written.length ? undefined : data);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("end their pages where format.md says", () => {
    fc.assert(
      fc.property(extents, (drafts) => {
        const { store } = write(drafts);
        const open = new Map<number, number>();
        for (const { plaintext, refs } of store.pages.values()) {
          const page = parseExtentPage(plaintext, refs);
          for (let i = 0; i < page.rowCount; i++) {
            const extent = page.extent(i);
            const boundary =
              !extent.hole && page.id(extent.ordinal)[0] === 0 && i + 1 >= limits.extentRowsMin;
            if (i < page.rowCount - 1) expect(boundary).toBe(false);
            else if (!boundary && page.rowCount < limits.extentRowsMax) {
              open.set(page.level, (open.get(page.level) ?? 0) + 1);
            }
          }
        }
        // only the last page of a level may end elsewhere
        for (const count of open.values()) expect(count).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  test("are found by binary search as by a scan", () => {
    fc.assert(
      fc.property(extents, fc.array(fc.nat(), { minLength: 1, maxLength: 20 }), (drafts, places) => {
        for (const { plaintext, refs } of write(drafts).store.pages.values()) {
          const page = parseExtentPage(plaintext, refs);
          for (const place of [0, page.length - 1, ...places]) {
            const offset = place % page.length;
            let row = 0;
            while (page.endAt(row) <= offset) row++;
            expect(page.rowFor(offset)).toBe(row);
            expect(page.startAt(row)).toBeLessThanOrEqual(offset);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("of 100,000 chunks: an insertion or a change rewrites few pages", () => {
    const drafts = Array.from({ length: 100_000 }, (_, i) => chunk(i));
    const before = write(drafts).store.pages;
    expect(before.size).toBeGreaterThan(200);
    for (const at of [0, 5, 50_000, 99_999]) {
      const inserted = [...drafts.slice(0, at), chunk(-1, 77), ...drafts.slice(at)];
      const changed = drafts.with(at, chunk(-2));
      for (const edited of [inserted, changed]) {
        const fresh = [...write(edited).store.pages.keys()].filter((id) => !before.has(id));
        expect(fresh.length).toBeLessThanOrEqual(12);
      }
    }
  });

  test("of 10 TB hold one open page per level", () => {
    const store = new PageStore();
    let largest = 0;
    let last: Buffer = Buffer.alloc(0);
    let emitted = 0;
    const writer = new ExtentsWriter((plaintext, refs) => {
      largest = Math.max(largest, plaintext.length);
      emitted++;
      last = store.emit(plaintext, refs);
      if (plaintext[0]! < 2) store.pages.delete(last.toString("hex"));
      return last;
    });
    const id = Buffer.alloc(32, 1);
    for (let i = 0; i < 2_500_000; i++) {
      id.writeUInt32LE(i, 0);
      writer.add({ hole: false, id, plainLength: 4 * 1024 * 1024, offset: 0, length: 4 * 1024 * 1024 });
    }
    const { length } = writer.finish();
    expect(length).toBe(2_500_000 * 4 * 1024 * 1024);
    expect(largest).toBeLessThanOrEqual(8 + 1024 * 16);
    expect(emitted).toBeGreaterThan(2_500_000 / 1024);
    const top = store.bytes(last);
    expect(parseExtentPage(top.plaintext, top.refs, { length }).level).toBe(2);
  });
});

describe("what is refused", () => {
  const store = new PageStore();
  const writer = new ExtentsWriter(store.emit);
  for (let i = 0; i < 20; i++) writer.add(i % 5 === 4 ? { hole: true, length: 2 ** 33 } : chunk(i));
  const written = writer.finish();
  const { plaintext, refs } = store.bytes(written.form === "pages" ? written.id : Buffer.alloc(0));

  /** The page with one u32 changed. */
  function patched(at: number, value: number): Buffer {
    const bytes = Buffer.from(plaintext);
    bytes.writeUInt32LE(value, at);
    return bytes;
  }

  test.each([
    ["an ordinal without reference", patched(8 + 8, 16)],
    ["an offset outside any chunk", patched(8 + 12, 4 * 1024 * 1024)],
    ["a hole with an offset", patched(8 + 4 * 16 + 12, 1)],
    ["a row that ends before it starts", patched(8 + 16, 1)],
    ["an end of 2^53", patched(8 + 19 * 16 + 4, 0x20_0000)],
    ["level 9", patched(0, 9)],
    ["a hole above level 0", patched(0, 1)],
    ["reserved bytes", patched(0, 256)],
    ["no rows", Buffer.alloc(8)],
    ["a huge row count", patched(4, 0xffff_ffff)],
    ["a row more", patched(4, 21)],
    ["a row less", patched(4, 19)],
    ["trailing bytes", Buffer.concat([plaintext, Buffer.alloc(1)])],
    ["half a page", plaintext.subarray(0, 100)],
    ["nothing", Buffer.alloc(0)],
  ])("%s in a page", (_what, bytes) => {
    expect(codeOf(() => parseExtentPage(bytes, refs))).toMatch(/^(corrupt|truncated)$/);
  });

  test("a page that is not what names it", () => {
    expect(codeOf(() => parseExtentPage(plaintext, refs, { length: written.length }))).toBeUndefined();
    expect(codeOf(() => parseExtentPage(plaintext, refs, { length: written.length + 1 }))).toBe("corrupt");
    expect(codeOf(() => parseExtentPage(plaintext, refs, { length: written.length, level: 1 }))).toBe(
      "corrupt",
    );
    expect(codeOf(() => parseExtentPage(plaintext, refs.subarray(1)))).toBe("corrupt");
  });

  test.each<[string, ExtentDraft, string]>([
    ["no bytes", { hole: true, length: 0 }, "corrupt"],
    ["half a byte", { hole: true, length: 0.5 }, "corrupt"],
    ["an extent outside its chunk", { ...chunk(0), offset: 1 } as ExtentDraft, "corrupt"],
    ["a negative offset", { ...chunk(0), offset: -1 } as ExtentDraft, "corrupt"],
    ["2^53 bytes", { hole: true, length: Number.MAX_SAFE_INTEGER }, "limit-exceeded"],
  ])("%s by the writer", (_what, extent, expected) => {
    const fresh = new ExtentsWriter(new PageStore().emit);
    fresh.add(chunk(1));
    expect(codeOf(() => fresh.add(extent))).toBe(expected);
  });

  test("fuzz: a damaged page gives HoldfastErrors only", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), fc.nat(), (flips, cut) => {
        const bytes = Buffer.from(
          flips.length % 2 === 0 ? plaintext : plaintext.subarray(0, cut % plaintext.length),
        );
        for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value;
        let page: ExtentPage | undefined;
        expect(codeOf(() => (page = parseExtentPage(bytes, refs))) ?? "corrupt").toMatch(
          /^(corrupt|truncated)$/,
        );
        for (let i = 0; i < (page?.rowCount ?? 0); i++) page!.extent(i);
      }),
      { numRuns: 2000 },
    );
  });
});
