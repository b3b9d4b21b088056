// What takes a file's content over from the previous snapshot: each of size, times, inode and owner must be as it was.

import { lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type StatFields, StatTable } from "../../../agent/platform/statTable.ts";
import { sameContentMark } from "../../../agent/source/entryDraft.ts";
import { EntryKind } from "../../../vault/tree/entry.ts";
import type { RowStat } from "../../../vault/tree/entryReader.ts";

test("one field that differs is enough to read a file again", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mark-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  writeFileSync(path, "content");
  const table = new StatTable(1);
  table.fill(0, lstatSync(path, { bigint: true }) satisfies StatFields);
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
  expect(sameContentMark(table, 0, old)).toBe(true);
  const telling = [
    ...(["size", "mtimeSeconds", "mtimeNanoseconds", "ctimeSeconds", "ctimeNanoseconds"] as const),
    ...(["inodeLow", "inodeHigh", "mode", "uid", "gid", "linkCount"] as const),
  ];
  for (const field of telling) {
    expect(sameContentMark(table, 0, { ...old, [field]: old[field] + 1 }), field).toBe(false);
  }
});
