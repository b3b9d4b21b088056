// What takes a file's content over from the previous snapshot: each of size, times, inode and owner must be as it was.

import { lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type StatFields, StatTable } from "../../../agent/platform/statTable.ts";
import { SameAsBefore, type SameOptions } from "../../../agent/source/sameAsBefore.ts";
import { EntryKind } from "../../../vault/tree/entry.ts";
import type { RowStat } from "../../../vault/tree/entryReader.ts";

function fileAndRow(names = 1n): { readonly table: StatTable; readonly old: RowStat } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mark-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  writeFileSync(path, "content");
  const table = new StatTable(1);
  table.fill(0, { ...lstatSync(path, { bigint: true }), nlink: names } satisfies StatFields);
  const old: RowStat = {
    kind: EntryKind.file,
    mode: table.permissions(0),
    uid: table.uid(0),
    gid: table.gid(0),
    mtimeSeconds: table.modifiedSeconds(0),
    mtimeNanoseconds: table.modifiedNanoseconds(0),
    ctimeSeconds: table.changedSeconds(0),
    ctimeNanoseconds: table.changedNanoseconds(0),
    deviceLow: 0,
    deviceHigh: 0,
    inodeLow: table.inodeLow(0),
    inodeHigh: table.inodeHigh(0),
    linkCount: table.linkCount(0),
    hasXattrs: false,
    size: table.size(0),
  };
  return { table, old };
}

/** As a run in an hour would ask. */
function same(options: Partial<SameOptions> = {}): SameAsBefore {
  const previous = { timeMs: Date.now() + 3_600_000 };
  return new SameAsBefore({ rescan: false, ignoreInodes: false, previous, ...options });
}

const times = ["mtimeSeconds", "mtimeNanoseconds", "ctimeSeconds", "ctimeNanoseconds"] as const;
const rest = ["size", "mode", "uid", "gid", "linkCount"] as const;
const numbers = ["inodeLow", "inodeHigh"] as const;

test("one field that differs is enough to read a file again", () => {
  const { table, old } = fileAndRow();
  expect(same().file(table, 0, old)).toBe(true);
  for (const field of [...times, ...rest, ...numbers]) {
    const other = { ...old, [field]: old[field] + 1 };
    expect(same().file(table, 0, other), field).toBe(false);
    const isNumber = numbers.some((one) => one === field);
    expect(same().isRenumbered(table, 0, other), field).toBe(isNumber);
    expect(same({ ignoreInodes: true }).file(table, 0, other), field).toBe(isNumber);
  }
  for (const options of [{ rescan: true }, { previous: undefined }, { previous: { timeMs: Date.now() } }])
    expect(same(options).file(table, 0, old)).toBe(false);
});

test("where a file has several names its number counts, since it tells which they are", () => {
  const { table, old } = fileAndRow(2n);
  const other = { ...old, inodeLow: old.inodeLow + 1 };
  const ignoring = same({ ignoreInodes: true });
  expect(ignoring.file(table, 0, old)).toBe(true);
  expect(ignoring.file(table, 0, other)).toBe(false);
  expect(ignoring.other(table, 0, other)).toBe(false);
  expect(same().isRenumbered(table, 0, other)).toBe(false);
  // A folder's number is nobody's name.
  expect(ignoring.folder(table, 0, other)).toBe(true);
  expect(same().folder(table, 0, other)).toBe(false);
});
