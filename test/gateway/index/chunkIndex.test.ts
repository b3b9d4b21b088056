import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { ScanCursor } from "../../../gateway/index/buckets.ts";
import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { type ChunkInsert, type ChunkRow, ordinalMax, rowFlags } from "../../../gateway/index/row.ts";
import { idOf, rowOf } from "./sampleRows.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function newDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-index-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function openIndex(directory = newDirectory()): { environment: IndexEnvironment; index: ChunkIndex } {
  const environment = openIndexEnvironment(directory);
  cleanups.push(() => environment.close());
  return { environment, index: new ChunkIndex(environment) };
}

function contents(index: ChunkIndex): Map<string, ChunkRow> {
  const rows = new Map<string, ChunkRow>();
  index.scan(undefined, Infinity, (group, idPrefix, row) => {
    rows.set(`${group}:${Buffer.from(idPrefix).toString("hex")}`, row);
  });
  return rows;
}

const keyOf = (group: number, n: number) =>
  `${group}:${Buffer.from(idOf(n).subarray(0, 16)).toString("hex")}`;

describe("ChunkIndex", () => {
  it("keeps every field of a row at its limits", () => {
    const { index } = openIndex();
    const top = 2 ** 32 - 1;
    const row = {
      ordinal: ordinalMax,
      pack: top,
      offset: top,
      length: top,
      type: 255,
      writer: top,
      // Not promised: such a row comes with all of its id.
      flags: 253,
    };
    expect(index.insertBatch([{ group: top, id: idOf(1), row }])).toBe(1);
    expect(index.lookup(top, idOf(1))).toEqual(row);
    expect(index.lookup(0, idOf(1))).toBeUndefined();
    expect(() =>
      index.insertBatch([{ group: 1, id: idOf(2), row: { ...row, ordinal: ordinalMax + 1 } }]),
    ).toThrow();
  });

  it("does what a Map does, for any order of inserts, removals, changes and reopenings", async () => {
    const group = fc.integer({ min: 0, max: 2 });
    const n = fc.integer({ min: 0, max: 40 });
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant("insert" as const), items: fc.array(fc.tuple(group, n)) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant("remove" as const), group, n, stale: fc.boolean() }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("move" as const), group, n, pack: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("bulk" as const), group, from: fc.nat(2000) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), group, n }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        const directory = mkdtempSync(path.join(tmpdir(), "holdfast-index-"));
        let environment = openIndexEnvironment(directory);
        let index = new ChunkIndex(environment);
        const model = new Map<string, ChunkRow>();
        const insert = (items: [number, number][]) => {
          const inserts: ChunkInsert[] = items.map(([group, n]) => ({
            group,
            id: idOf(n),
            row: rowOf(n, index.nextOrdinal()),
          }));
          let added = 0;
          for (const { group, row } of inserts) {
            const key = keyOf(group, row.offset);
            if (model.has(key)) continue;
            model.set(key, row);
            added++;
          }
          expect(index.insertBatch(inserts)).toBe(added);
        };
        try {
          for (const command of commands) {
            if (command.do === "insert") insert(command.items);
            else if (command.do === "bulk") {
              insert(Array.from({ length: 300 }, (_, i) => [command.group, command.from + i]));
            } else if (command.do === "remove") {
              const row = model.get(keyOf(command.group, command.n));
              const place = { pack: (row?.pack ?? 0) + (command.stale ? 1 : 0), offset: command.n };
              const expected = row !== undefined && !command.stale;
              expect(index.remove(command.group, idOf(command.n), place)).toBe(expected);
              if (expected) model.delete(keyOf(command.group, command.n));
            } else if (command.do === "move") {
              const row = model.get(keyOf(command.group, command.n));
              const place = { pack: row?.pack ?? 0, offset: command.n };
              const change = { pack: command.pack };
              expect(index.update(command.group, idOf(command.n), place, change)).toBe(row !== undefined);
              if (row !== undefined) model.set(keyOf(command.group, command.n), { ...row, ...change });
            } else if (command.do === "abort") {
              const rows = Array.from({ length: 200 }, (_, i) => ({
                group: command.group,
                id: idOf(5000 + i),
                row: rowOf(i, index.nextOrdinal()),
              }));
              const fail = () => {
                index.insertBatch(rows);
                throw new Error("planned");
              };
              expect(() => environment.write(fail)).toThrow("planned");
            } else {
              await environment.close();
              environment = openIndexEnvironment(directory);
              index = new ChunkIndex(environment);
            }
            expect(index.count()).toBe(model.size);
          }
          expect(contents(index)).toEqual(model);
          for (let group = 0; group < 3; group++) {
            const ids = Buffer.concat(Array.from({ length: 41 }, (_, n) => idOf(n)));
            const expected = Array.from({ length: 41 }, (_, n) => model.get(keyOf(group, n)));
            expect(index.lookupBatch(group, ids)).toEqual(expected);
            expect(Array.from({ length: 41 }, (_, n) => index.lookup(group, idOf(n)))).toEqual(expected);
          }
        } finally {
          await environment.close();
          rmSync(directory, { recursive: true, force: true });
        }
      }),
      { numRuns: 40 },
    );
  });

  it("finds 60,000 rows of two groups again after a reopen, each once, and scans in steps across splits", async () => {
    const directory = newDirectory();
    const first = openIndexEnvironment(directory);
    const writer = new ChunkIndex(first);
    const inserts = (group: number, from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({
        group,
        id: idOf(from + i),
        row: rowOf(from + i, writer.nextOrdinal()),
      }));
    expect(writer.insertBatch([...inserts(7, 0, 30_000), ...inserts(8, 0, 10_000)])).toBe(40_000);
    const seen = new Map<string, number>();
    let cursor: ScanCursor | undefined;
    let steps = 0;
    do {
      cursor = writer.scan(cursor, 50, (group, idPrefix) => {
        const key = `${group}:${Buffer.from(idPrefix).toString("hex")}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      });
      // Rows that come in between may or may not be seen; the first 40,000 must be, once.
      if (steps++ < 10) writer.insertBatch(inserts(7, 30_000 + steps * 2000, 2000));
    } while (cursor !== undefined);
    for (let n = 0; n < 30_000; n++)
      if (seen.get(keyOf(7, n)) !== 1) throw new Error(`row ${n} seen wrongly`);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
    await first.close();
    const { index } = openIndex(directory);
    expect(index.count()).toBe(60_000);
    const ids = Buffer.concat(Array.from({ length: 10_000 }, (_, n) => idOf(n)));
    expect(index.lookupBatch(8, ids).every((row, n) => row?.offset === n)).toBe(true);
    expect(index.lookupBatch(9, ids).every((row) => row === undefined)).toBe(true);
    expect(index.nextOrdinal()).toBe(60_000);
  });

  it("lets the next good copy take a needed row's place under the same ordinal", () => {
    const { index } = openIndex();
    const id = idOf(1);
    const bad = rowOf(1, 5);
    index.insertBatch([{ group: 1, id, row: bad, refs: [1, 2] }]);
    const place = { pack: bad.pack, offset: bad.offset };
    expect(index.update(1, id, place, { flags: rowFlags.needed })).toBe(true);
    const good = { ...bad, pack: 77, writer: 9 };
    expect(() => index.insertBatch([{ group: 1, id, row: { ...good, ordinal: 6 } }])).toThrow(/ordinal/);
    expect(index.insertBatch([{ group: 1, id, row: good, refs: [1, 2] }])).toBe(1);
    expect(index.lookup(1, id)).toEqual(good);
    expect(index.refsOf(5)).toEqual([1, 2]);
    expect(index.count()).toBe(1);
  });

  it("answers dead rows as absent, replaces them under a new ordinal, and sweeps only the dead copy", () => {
    const { index } = openIndex();
    const inserts = [1, 2].map((n) => ({ group: 1, id: idOf(n), row: rowOf(n, n), refs: [0, 40 + n] }));
    index.insertBatch(inserts);
    index.dead = new Set([1, 2]);
    expect(index.lookup(1, idOf(1))).toBeUndefined();
    const again = { ...rowOf(1, 10), pack: 50 };
    expect(index.insertBatch([{ group: 1, id: idOf(1), row: again }])).toBe(1);
    expect(index.remove(1, idOf(1), rowOf(1, 1))).toBe(false);
    expect(index.remove(1, idOf(2), rowOf(2, 2))).toBe(true);
    index.dead = undefined;
    expect(index.lookup(1, idOf(1))).toEqual(again);
    expect(index.lookup(1, idOf(2))).toBeUndefined();
    expect([index.refsOf(1), index.refsOf(2), index.count()]).toEqual([[], [], 1]);
  });

  it("keeps any references", () => {
    const { index } = openIndex();
    const ordinal = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: ordinalMax }));
    let n = 0;
    fc.assert(
      fc.property(fc.array(ordinal, { maxLength: 300 }), (refs) => {
        const row = rowOf(n, index.nextOrdinal());
        index.insertBatch([{ group: 1, id: idOf(n++), row, refs }]);
        expect(index.refsOf(row.ordinal)).toEqual(refs);
      }),
      { numRuns: 60 },
    );
  });

  it("forgets rows but not ordinals on clear, and keeps what else is in the environment", () => {
    const { index, environment } = openIndex();
    const other = environment.openRaw("snapshots");
    environment.write(() => other.putSync(Buffer.from("k"), Buffer.from("v")));
    index.insertBatch([{ group: 1, id: idOf(1), row: rowOf(1, index.nextOrdinal()), refs: [3] }]);
    index.clear();
    expect([index.count(), index.lookup(1, idOf(1)), index.refsOf(0), index.nextOrdinal()]).toEqual([
      0,
      undefined,
      [],
      1,
    ]);
    expect(other.getBinary(Buffer.from("k"))?.toString()).toBe("v");
    index.insertBatch([{ group: 1, id: idOf(1), row: rowOf(1, 1) }]);
    expect(index.lookup(1, idOf(1))?.ordinal).toBe(1);
  });
});
