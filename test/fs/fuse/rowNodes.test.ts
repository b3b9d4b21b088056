// Node ids of rows: whatever the kernel looks up and forgets, an id means one row as long as it is held, and nothing is kept after that.

import fc from "fast-check";
import { expect, it } from "vitest";
import { ROW_NODE_ID_MIN, RowNodes } from "../../../fs/fuse/kernel/rowNodes.ts";
import type { RowDirectory } from "../../../fs/view/rows.ts";

const trees = [{}, {}];
/** Directories of two snapshots, some with the same inode number in both. */
const directories: RowDirectory[] = Array.from({ length: 40 }, (_, i) => ({
  tree: trees[i % 2] as object,
  id: Buffer.alloc(32, i),
  inodeLow: (i >> 1) * 4097,
  inodeHigh: i >> 3,
}));

const step = fc.oneof(
  fc.record({
    do: fc.constant("look up" as const),
    directory: fc.nat(directories.length - 1),
    // Around the borders of blocks of 4,096 rows.
    row: fc.oneof(fc.nat(3), fc.integer({ min: 4094, max: 4098 }), fc.integer({ min: 0, max: 5_000_000 })),
  }),
  fc.record({ do: fc.constant("forget" as const), pick: fc.nat(), lookups: fc.integer({ min: 1, max: 3 }) }),
);

it("counts what the kernel holds (property)", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const nodes = new RowNodes();
      /** By node id: what it means, and how often the kernel looked it up. */
      const held = new Map<number, { place: string; lookups: number }>();
      for (const one of steps) {
        if (one.do === "look up") {
          const directory = directories[one.directory] as RowDirectory;
          const nodeId = nodes.remember(directory, one.row) as number;
          const place = `${one.directory}:${one.row}`;
          expect(nodeId).toBeGreaterThanOrEqual(ROW_NODE_ID_MIN);
          expect(Number.isSafeInteger(nodeId)).toBe(true);
          const known = held.get(nodeId) ?? { place, lookups: 0 };
          expect(known.place).toBe(place);
          known.lookups++;
          held.set(nodeId, known);
        } else if (held.size > 0) {
          const [nodeId, known] = [...held][one.pick % held.size] as [
            number,
            { place: string; lookups: number },
          ];
          const lookups = Math.min(one.lookups, known.lookups);
          nodes.forget(nodeId, lookups);
          known.lookups -= lookups;
          if (known.lookups === 0) held.delete(nodeId);
        }
        const blocks = new Set([...held.keys()].map((nodeId) => nodes.blockOf(nodeId)));
        expect(nodes.blocks).toBe(blocks.size);
        expect(nodes.lookups).toBe([...held.values()].reduce((sum, known) => sum + known.lookups, 0));
        for (const [nodeId, { place }] of held) {
          const { tree, id, inodeLow, inodeHigh } = nodes.directoryOf(nodeId);
          const number = directories.findIndex(
            (other) => other.tree === tree && other.inodeLow === inodeLow && other.inodeHigh === inodeHigh,
          );
          expect(`${number}:${nodes.rowOf(nodeId)}`).toBe(place);
          expect(id).toEqual(directories[number]?.id);
        }
      }
      for (const [nodeId, { lookups }] of held) nodes.forget(nodeId, lookups);
      expect([nodes.blocks, nodes.lookups]).toEqual([0, 0]);
    }),
    { numRuns: 60 },
  );
});

it("takes no id for another's after it was forgotten", () => {
  const nodes = new RowNodes();
  const seen = new Set<number>();
  for (let round = 0; round < 1000; round++) {
    const nodeId = nodes.remember(directories[round % directories.length] as RowDirectory, 7) as number;
    expect(seen.has(nodeId)).toBe(false);
    seen.add(nodeId);
    nodes.forget(nodeId, 1);
    expect(nodes.rowOf(nodeId)).toBeUndefined();
    expect(nodes.rememberAgain(nodeId)).toBe(false);
  }
});

it("grows, and finds everything again", () => {
  const nodes = new RowNodes();
  const directory = (i: number): RowDirectory => ({
    tree: trees[0] as object,
    id: Buffer.from(String(i).padStart(32)),
    inodeLow: Math.imul(i, 2654435761) >>> 0,
    inodeHigh: i,
  });
  const ids = Array.from({ length: 20_000 }, (_, i) => nodes.remember(directory(i), i) as number);
  const lost = ids.filter(
    (nodeId, i) =>
      nodes.remember(directory(i), i) !== nodeId ||
      nodes.rowOf(nodeId) !== i ||
      Number(String(nodes.directoryOf(nodeId).id)) !== i,
  );
  expect(lost).toEqual([]);
  for (const nodeId of ids) nodes.forget(nodeId, 2);
  expect(nodes.blocks).toBe(0);
});
