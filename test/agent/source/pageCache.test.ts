// The page cache against a Map, through runs that are cut off, files that are damaged, and rewrites.

import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { OffsetTable } from "../../../agent/source/offsetTable.ts";
import { type CachedPage, PageCache } from "../../../agent/source/pageCache.ts";
import { chunkId } from "../../../vault/chunkId.ts";
import { RecordType } from "../../../vault/magic.ts";
import { seededBytes, seededId } from "../../vault/seeded.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-pages-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const idKey = Buffer.alloc(32, 7);
let counter = 0;

function freshPath(): string {
  return join(scratch, `cache-${counter++}`);
}

function open(path: string, group = 0): PageCache {
  return PageCache.open({ path, vaultId: Buffer.alloc(16, 1), group, idKey });
}

/** A page that depends on its number and length alone. */
function pageOf(number: number, length: number): { readonly id: Buffer; readonly page: CachedPage } {
  const plaintext = seededBytes(`page ${number}`, length);
  const refs = seededBytes(`refs ${number}`, (number % 5) * 32);
  return { id: chunkId(idKey, RecordType.directory, refs, plaintext), page: { plaintext, refs } };
}

function same(found: CachedPage | undefined, page: CachedPage): boolean {
  return found?.plaintext.equals(page.plaintext) === true && found.refs.equals(page.refs);
}

const length = fc.oneof(
  fc.nat(300),
  fc.nat(20_000),
  fc.integer({ min: 23_000, max: 26_000 }),
  fc.constant(65_536),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("put" as const), number: fc.nat(60), length }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("get" as const), number: fc.nat(60), length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("end" as const), compact: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("kill" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), at: fc.nat(1000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), at: fc.nat(1000), length: fc.nat(3000) }),
  },
);

describe("the page cache", () => {
  test("gives the right page or none, whatever happens to its file", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const path = freshPath();
        const model = new Map<string, CachedPage>();
        let cache = open(path);
        let intact = true;
        const reopen = (change: () => void): void => {
          cache.close();
          change();
          cache = open(path);
        };
        for (const each of steps) {
          if (each.kind === "put") {
            const { id, page } = pageOf(each.number * 100_000 + each.length, each.length);
            const found = cache.get(id);
            if (found === undefined) cache.put(id, page);
            else expect(same(found, page)).toBe(true);
            expect(same(cache.get(id), page)).toBe(true);
            model.set(id.toString("hex"), page);
          } else if (each.kind === "get") {
            const { id } = pageOf(each.number * 100_000 + each.length, each.length);
            const page = model.get(id.toString("hex"));
            const found = cache.get(id);
            if (found !== undefined) expect(page !== undefined && same(found, page)).toBe(true);
            else if (intact) expect(page).toBeUndefined();
          } else if (each.kind === "end") {
            cache.finish(each.compact);
            if (each.compact) intact = false; // what this run did not use may be gone
            reopen(() => undefined);
          } else if (each.kind === "kill") {
            intact = false; // what was pending is lost
            reopen(() => undefined);
          } else {
            intact = false;
            cache.finish(false);
            reopen(() => damage(path, each));
          }
        }
        cache.finish(true);
        cache.close();
        cache = open(path);
        for (const [id, page] of model) {
          const found = cache.get(Buffer.from(id, "hex"));
          if (found !== undefined) expect(same(found, page)).toBe(true);
        }
        cache.close();
      }),
      { numRuns: 60 },
    );
  });

  test("keeps everything between runs that end well", () => {
    const path = freshPath();
    const pages = Array.from({ length: 3000 }, (_, number) => pageOf(number, (number * 37) % 4000));
    const cache = open(path);
    for (const { id, page } of pages) cache.put(id, page);
    cache.finish(true);
    cache.close();
    const again = open(path);
    const added = pageOf(9999, 100);
    again.put(added.id, added.page);
    again.finish(false);
    for (const { id, page } of [...pages, added]) expect(same(again.get(id), page)).toBe(true);
    for (const { id, page } of pages.toReversed()) expect(same(again.get(id), page)).toBe(true);
    again.close();
  });

  test("drops what a run did not use once that is most of the file, and what it kept can go on being used", () => {
    const path = freshPath();
    const pages = Array.from({ length: 400 }, (_, number) => pageOf(number, 8000));
    const first = open(path);
    for (const { id, page } of pages) first.put(id, page);
    first.finish(true);
    const whole = statSync(path).size;
    first.close();
    const second = open(path);
    const kept = pages.filter((_, index) => index % 4 === 0);
    for (const { id } of kept) second.get(id);
    for (const { id } of kept) second.get(id); // twice counts once
    second.finish(true);
    expect(statSync(path).size).toBeLessThan(whole / 3);
    const added = pageOf(9999, 100);
    second.put(added.id, added.page);
    for (const { id, page } of [...kept, added]) expect(same(second.get(id), page)).toBe(true);
    second.finish(false);
    second.close();
    const third = open(path);
    for (const { id, page } of [...kept, added]) expect(same(third.get(id), page)).toBe(true);
    expect(pages.filter(({ id }) => third.get(id) !== undefined).length).toBe(kept.length);
    third.close();
  });

  test("is started anew for another group, and after close it writes nothing", () => {
    const path = freshPath();
    const { id, page } = pageOf(1, 1000);
    const cache = open(path);
    cache.put(id, page);
    cache.finish(false);
    cache.close();
    const other = open(path, 1);
    expect(other.get(id)).toBeUndefined();
    other.close();
    const before = readFileSync(path);
    const big = Array.from({ length: 40 }, (_, number) => pageOf(number, 60_000));
    expect(() => {
      for (const each of big) other.put(each.id, each.page);
    }).toThrow(/cannot be written/);
    expect(readFileSync(path)).toEqual(before);
  });

  test("says what to do where its folder is not there", () => {
    expect(() => open(join(scratch, "missing", "cache"))).toThrow(/cannot be written \(ENOENT\)/);
  });
});

function damage(
  path: string,
  how: { kind: "cut"; at: number } | { kind: "flip"; at: number; length: number },
): void {
  const bytes = readFileSync(path);
  const at = Math.floor((bytes.length * how.at) / 1000);
  if (how.kind === "cut") truncateSync(path, at);
  else {
    for (let index = at; index < Math.min(bytes.length, at + how.length); index++) bytes[index]! ^= 0x55;
    writeFileSync(path, bytes);
  }
}

describe("the offset table", () => {
  test("finds every place of an id, also of ids that begin alike, and its marks survive growing", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 3000 }), (adds) => {
        const table = new OffsetTable(1);
        const model = new Map<number, number[]>();
        const marked: number[] = [];
        for (const [index, [number, mark]] of adds.entries()) {
          const offset = index + 1;
          const slot = table.add(alike(number), offset);
          if (mark) {
            expect(table.mark(slot)).toBe(true);
            expect(table.mark(slot)).toBe(false);
            marked.push(offset);
          }
          model.set(number, [...(model.get(number) ?? []), offset]);
        }
        for (let number = 0; number <= 40; number++) {
          const found: number[] = [];
          for (let slot = table.slot(alike(number)); slot >= 0; slot = table.slot(alike(number), slot))
            found.push(table.offset(slot));
          expect(found.sort((a, b) => a - b)).toEqual(model.get(number) ?? []);
        }
        expect([...table.marked()]).toEqual(marked);
      }),
      { numRuns: 40 },
    );
  });
});

/** Ids of which many want the same slot: the low bits of the tag are equal. */
function alike(number: number): Buffer {
  const id = seededId(`${number}`);
  id.writeUIntLE(0xffff + (number % 7) * 2 ** 40, 0, 6);
  id[5] = number;
  return id;
}
