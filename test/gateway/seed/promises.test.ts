// The lists of boxes against a model: what they answer, what a stop leaves, and how much they take.

import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { Promises } from "../../../gateway/seed/promises.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { chunkListOf } from "./chunkLists.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-promises-"));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function idOf(n: number): Buffer {
  return seededBytes(`promised ${n}`, 32);
}

/** A list that breaks off: `pieces` of it come, then an error. */
async function* brokenList(list: AsyncIterable<Uint8Array>, pieces: number): AsyncGenerator<Uint8Array> {
  let left = pieces;
  for await (const piece of list) {
    if (left-- === 0) throw new Error("planned");
    yield piece;
  }
}

test("answers like a set of what open boxes promise, through loads, failures, closings and restarts", async () => {
  const box = fc.integer({ min: 1, max: 3 });
  const numbers = fc.uniqueArray(fc.nat(300), { maxLength: 200 });
  const command = fc.oneof(
    fc.record({ do: fc.constant("load" as const), box, numbers, group: fc.nat(1), fails: fc.boolean() }),
    fc.record({ do: fc.constant("close" as const), box, fails: fc.boolean() }),
    fc.record({ do: fc.constant("reopen" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 12 }), async (commands) => {
      const directory = await scratch();
      let environment = openIndexEnvironment(directory);
      let promises = new Promises(environment);
      const open = new Map<number, { group: number; numbers: Set<number> }>();
      const closed = new Set<number>();
      let seal = 0;
      try {
        for (const command of commands) {
          if (command.do === "reopen") {
            await environment.close();
            environment = openIndexEnvironment(directory);
            promises = new Promises(environment);
            await promises.removeLeft();
          } else if (command.do === "load") {
            const { box, group, fails } = command;
            const groups = command.numbers.length === 0 ? [] : [{ group, ids: command.numbers.map(idOf) }];
            const whole = chunkListOf(groups);
            const list = fails ? brokenList(whole, 2) : whole;
            const loading = promises.load({ box, seal: ++seal, list });
            const isRefused = closed.has(box) || (fails && groups.length > 0);
            await (isRefused ? expect(loading).rejects.toThrow() : loading);
            if (!isRefused) open.set(box, { group, numbers: new Set(command.numbers) });
          } else if (!open.has(command.box)) {
            await expect(promises.close(command.box, async () => undefined)).rejects.toMatchObject({
              code: "not-found",
            });
          } else {
            const closing = promises.close(command.box, async (change) => {
              if (command.fails) throw new Error("planned");
              environment.write(change);
            });
            if (command.fails) await expect(closing).rejects.toThrow("planned");
            else {
              await closing;
              open.delete(command.box);
              closed.add(command.box);
            }
          }
          expect(promises.open()).toEqual([...open.keys()].sort());
        }
        for (const group of [0, 1]) {
          for (let n = 0; n <= 300; n += 7) {
            const boxes = [...open].filter(([, list]) => list.group === group && list.numbers.has(n));
            const lowest = boxes.length === 0 ? undefined : Math.min(...boxes.map(([box]) => box));
            expect(promises.boxOf(group, idOf(n))).toBe(lowest);
          }
        }
      } finally {
        await environment.close();
      }
    }),
    { numRuns: 25 },
  );
});

test("a chunk takes about 8 bytes, and pages of a box that ended are used again", async () => {
  const directory = await scratch();
  const environment = openIndexEnvironment(directory);
  cleanups.push(() => environment.close());
  const promises = new Promises(environment);
  const size = (): number => statSync(join(directory, "data.mdb")).size;
  const before = size();
  const count = 100_000;
  const bytes = seededBytes("many", count * 8);
  const ids = Array.from({ length: count }, (_, n) =>
    Buffer.concat([bytes.subarray(n * 8, n * 8 + 8), Buffer.alloc(24)]),
  );
  await promises.load({ box: 1, seal: 1, list: chunkListOf([{ group: 4, ids }]) });
  const taken = size() - before;
  expect(taken / count).toBeLessThan(8.5);
  expect(ids.filter((_, n) => n % 100 === 0).every((id) => promises.boxOf(4, id) === 1)).toBe(true);
  expect(promises.boxOf(5, ids[0]!)).toBeUndefined();
  // What a transaction frees is free for later ones, once no reader looks at it any more.
  for (let box = 2; box < 6; box++) {
    await promises.close(box - 1, async (change) => environment.write(change));
    await promises.load({ box, seal: 1, list: chunkListOf([{ group: 4, ids }]) });
  }
  expect(size() - before).toBeLessThan(taken * 3);
});

test("a seal replaces a lower one, and no other", async () => {
  const environment = openIndexEnvironment(await scratch());
  cleanups.push(() => environment.close());
  const promises = new Promises(environment);
  const list = (n: number) => chunkListOf([{ group: 1, ids: [idOf(n)] }]);
  await promises.load({ box: 7, seal: 2, list: list(1) });
  await promises.load({ box: 7, seal: 3, list: list(2) });
  expect([1, 2].map((n) => promises.boxOf(1, idOf(n)))).toEqual([undefined, 7]);
  await expect(promises.load({ box: 7, seal: 3, list: list(1) })).rejects.toMatchObject({ code: "exists" });
  await expect(promises.load({ box: 7, seal: 2, list: list(1) })).rejects.toMatchObject({ code: "exists" });
  expect(promises.boxes()).toEqual([{ box: 7, seal: 3, chunks: 1, state: "open" }]);
});
