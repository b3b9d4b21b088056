// How often a restore asks for pages: many travel together, whatever the shape of the tree. How often it asks for content hangs on
// how long answers take: see recordFetcher.test.ts.

import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toHex } from "../../../vault/bytes.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "../../fs/treeSpec.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

/** A tree of `folders` folders in each folder, `depth` levels deep; no two folders are alike. */
function tree(folders: number, depth: number, path = ""): NodeSpec {
  const rows: Record<string, NodeSpec> = { file: fileOf(`at ${path}`) };
  if (depth > 0) for (let i = 0; i < folders; i++) rows[`f${i}`] = tree(folders, depth - 1, `${path}/${i}`);
  return directoryOf(rows);
}

/** Counts requests that ask for a page. */
function counted(vault: FixtureVault): { requests: number } {
  const count = { requests: 0 };
  const isPage = (id: Uint8Array) =>
    parseRecordHeader(vault.records.get(toHex(id)) as Buffer).type === RecordType.directory;
  vault.beforeRead = (ids) => {
    if (ids.some(isPage)) count.requests += 1;
  };
  return count;
}

test("folders in folders are read many at a time", async () => {
  const vault = new FixtureVault();
  const row = vault.snapshot(tree(5, 4));
  const count = counted(vault);
  const target = temporaryFolder();
  const { directories, notes } = await restoreTo(target, vault, row);
  expect({ directories, notes }).toEqual({ directories: 5 + 25 + 125 + 625, notes: [] });
  // 781 pages: a request for each level, and for each 128 of them at the most.
  expect(count.requests).toBeLessThan(20);
});

test("also below a folder of many pages, and with folders that are passed over", async () => {
  const vault = new FixtureVault();
  const rows = Object.fromEntries(
    Array.from({ length: 900 }, (_, i): [string, NodeSpec] => [
      `folder with a name of some length, number ${i}`,
      directoryOf({ below: directoryOf({ [`file ${i}`]: fileOf(`content ${i}`) }) }),
    ]),
  );
  const row = vault.snapshot(directoryOf(rows));
  const first = counted(vault);
  const target = temporaryFolder();
  expect((await restoreTo(target, vault, row)).files).toBe(900);
  expect(first.requests).toBeLessThan(60);
  // Kept folders are not gone into for their own sake; what is below them is restored all the same.
  const again = counted(vault);
  const { reused, kept, notes } = await restoreTo(target, vault, row, { overwrite: "never" });
  expect({ reused, kept, notes }).toEqual({ reused: 0, kept: 900, notes: [] });
  expect(again.requests).toBeLessThan(60);
  expect(
    statSync(join(target, "folder with a name of some length, number 899", "below", "file 899")).size,
  ).toBe(11);
});
