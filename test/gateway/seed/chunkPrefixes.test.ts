import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChunkIndex } from "../../../gateway/index/chunkIndex.ts";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { isHere, rowFlags } from "../../../gateway/index/row.ts";
import { ChunkPrefixes } from "../../../gateway/seed/seal/chunkPrefixes.ts";

/** Ids of which many share their first bytes, as a device that lies could make them. */
const id = fc
  .record({ high: fc.nat(3), low: fc.nat(60), rest: fc.nat(1000), spread: fc.boolean() })
  .map(({ high, low, rest, spread }) => {
    const bytes = Buffer.alloc(32, rest % 251);
    bytes.writeBigUInt64BE(
      BigInt.asUintN(64, BigInt(high * 60 + low) * (spread ? 0x0123_4567_89ab_cdefn : 1n)),
    );
    bytes.writeUInt32LE(rest, 8);
    return bytes;
  });
const rows = fc.array(
  fc.record({ group: fc.constantFrom(1, 2, 65_537), id, pack: fc.nat(2), needed: fc.boolean() }),
  { maxLength: 300 },
);

test("prefixes of what is on board come sorted and once, however little memory there is", async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 2, max: 40 }), async (all, sortedMax) => {
      const directory = mkdtempSync(join(tmpdir(), "holdfast-prefixes-"));
      const environment = openIndexEnvironment(directory);
      try {
        const index = new ChunkIndex(environment);
        const expected = new Map<number, Set<bigint>>();
        for (const { group, id, pack, needed } of all) {
          const flags = needed ? rowFlags.needed : 0;
          const ordinal = index.nextOrdinal();
          const row = { ordinal, pack, offset: 96, length: 100, type: 1, writer: 0, flags };
          if (index.insertBatch([{ group, id, row }]) === 0 || needed || pack === 2) continue;
          const known = expected.get(group) ?? new Set();
          expected.set(group, known.add(id.readBigUInt64BE(0)));
        }
        const prefixes = new ChunkPrefixes(index, (row) => isHere(row) && row.pack !== 2, sortedMax);
        const found = new Map<number, bigint[]>();
        for (const group of await prefixes.groups()) {
          const list: bigint[] = [];
          for await (const run of prefixes.runs(group)) {
            expect(run.length / 8).toBeLessThanOrEqual(sortedMax);
            for (let at = 0; at < run.length; at += 8) list.push(run.readBigUInt64BE(at));
          }
          found.set(group.group, list);
        }
        const sorted = [...expected].sort(([a], [b]) => a - b);
        expect([...found]).toEqual(
          sorted.map(([group, set]) => [group, [...set].sort((a, b) => (a < b ? -1 : 1))]),
        );
      } finally {
        await environment.close();
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 25 },
  );
});
