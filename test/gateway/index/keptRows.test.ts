// Rows in memory are never older than LMDB's: held against the table itself through any order of reads, writes and writes that fail.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { KeptRows } from "../../../gateway/index/keptRows.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";

let folder: string;
let environment: IndexEnvironment;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-kept-"));
  environment = openIndexEnvironment(folder);
});
afterEach(async () => {
  await environment.close();
  rmSync(folder, { recursive: true, force: true });
});

const key = fc.constantFrom("a", "b", "c");
const step = fc.oneof(
  fc.record({ do: fc.constant("get" as const), key }),
  fc.record({ do: fc.constant("put" as const), key, fails: fc.boolean() }),
  fc.record({ do: fc.constant("remove" as const), key, fails: fc.boolean() }),
);

test("a row is what the table has, inside and outside of writes", () => {
  const table = openTable(environment, "rows", jsonCodec<number>());
  const kept = new KeptRows<number>(environment);
  let reads = 0;
  const read = (name: string): number | undefined => {
    reads++;
    return table.get(Buffer.from(name));
  };
  const get = (name: string): void => {
    expect(kept.get(name, () => read(name))).toBe(table.get(Buffer.from(name)));
  };
  let value = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      for (const each of steps) {
        if (each.do === "get") get(each.key);
        else {
          try {
            environment.write(() => {
              get(each.key);
              if (each.do === "put") table.put(Buffer.from(each.key), ++value);
              else table.remove(Buffer.from(each.key));
              get(each.key);
              if (each.fails) throw new Error("planted");
            });
          } catch (error) {
            expect((error as Error).message).toBe("planted");
          }
          get(each.key);
        }
      }
    }),
    { numRuns: 50 },
  );
  environment.write(() => table.put(Buffer.from("a"), 1));
  get("a");
  const before = reads;
  for (let i = 0; i < 5; i++) get("a");
  expect(reads, "kept while nothing is written").toBe(before);
});
