// An item without a snapshot of its own, whose files another item of the group has in bundles that it would not make itself.

import { cpSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BackupOutcome, BackupRequest } from "../../../agent/backup/request.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { toHex } from "../../../vault/bytes.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { parseSnapshotHeader } from "../../../vault/snapshot.ts";
import type { EntryDraft } from "../../../vault/tree/entry.ts";
import { backupFixture, noise, type RunOptions } from "./backupFixture.ts";
import { commitChanged } from "./hostileTree.ts";
import { MemoryGateway, spoilt } from "./memoryGateway.ts";
import { folderFacts, snapshotFacts } from "./readBack.ts";

const fx = backupFixture();
const files = 400;

function isData(record: Buffer): boolean {
  return parseRecordHeader(record).type === RecordType.data;
}

function dataIds(): string[] {
  return [...fx.gateway.records].filter(([, record]) => isData(record)).map(([id]) => id);
}

function put(index: number, seed: number): void {
  const folder = join(fx.source, `d${index % 5}`, `e${index % 3}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `f${index}`), noise(1000 + ((index * 977) % 20_000), seed));
}

/** A tree that one item backed up, edited and backed up again, so that its files lie in old bundles and new ones. */
async function editedTree(): Promise<void> {
  for (let index = 0; index < files; index++) put(index, index + 1);
  writeFileSync(join(fx.source, "large"), noise(700_000, 9));
  await fx.run();
  for (let index = 3; index < files; index += 20) put(index, index + 10_000);
  await fx.run();
}

/** The same folder as another machine has it: the same bytes and times, other inodes. */
function copyAnew(): void {
  const copy = `${fx.source}-copy`;
  cpSync(fx.source, copy, { recursive: true, preserveTimestamps: true });
  rmSync(fx.source, { recursive: true });
  renameSync(copy, fx.source);
}

/** The first run of another item, with a cache of its own; `fx.gateway` is that item's side from then on. */
function newcomer(changes: Partial<BackupRequest> = {}, options: RunOptions = {}): Promise<BackupOutcome> {
  fx.gateway = new MemoryGateway(fx.gateway);
  fx.cachePath = `${fx.cachePath}-new`;
  return fx.run(changes, options);
}

function expectSnapshotIsRight(): void {
  expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
}

describe("the first backup of another item", () => {
  test("sends no content that the group has, wherever edits have put it", async () => {
    await editedTree();
    copyAnew();
    const data = dataIds();
    const outcome = await newcomer();
    expect(dataIds()).toEqual(data);
    expectSnapshotIsRight();
    expect(outcome.reference).toMatchObject({ device: "device ee", item: "files" });
    expect(outcome.reference?.files).toBeGreaterThan(files / 4);
    expect(outcome.counts.filesRead).toBe(files + 1);
    expect(fx.warnings).toEqual([]);
    // Its own snapshot is what it goes on from.
    const next = await fx.run();
    expect(next.reference).toBeUndefined();
    expect(dataIds()).toEqual(data);
  });

  test("in portions: each goes on with the reference, also where its pages are lost in between", async () => {
    await editedTree();
    copyAnew();
    const data = dataIds();
    const reference = fx.gateway.head ?? "";
    const limits = { bytesMax: 1_500_000, timeMs: undefined };
    const later = { aheadMs: 60_000 };
    let kept = 0;
    let read = 0;
    for (let outcome = await newcomer({ limits }, later); ; outcome = await fx.run({ limits }, later)) {
      expect(outcome.reference?.snapshot).toBe(reference);
      kept += outcome.reference?.files ?? 0;
      read += outcome.counts.filesRead;
      if (outcome.stopped === undefined) break;
    }
    expect(dataIds()).toEqual(data);
    expectSnapshotIsRight();
    expect(kept).toBeGreaterThan(files / 4);
    expect(read).toBe(files + 1);
    expect(fx.warnings).toEqual([]);

    const first = await newcomer({ limits }, later);
    expect(first.stopped).toBeDefined();
    const object = fx.gateway.snapshots.get(first.reference?.snapshot ?? "") as Buffer;
    fx.gateway.records.delete(toHex(parseSnapshotHeader(object).root));
    rmSync(fx.cachePath);
    const rest = await fx.run({}, later);
    expect(fx.warnings.join()).toMatch(/cannot be built on .* going on without it/);
    expect(rest).toMatchObject({ stopped: undefined, portion: 2, reference: undefined });
    expect(rest.counts.filesRead).toBe(files + 1 - first.counts.filesRead);
    expectSnapshotIsRight();
    // A complete one ends it: only an item without any asks others.
    expect((await fx.run({ limits: noLimits }, later)).reference).toBeUndefined();
  });

  test("without a reference it makes bundles of its own", async () => {
    await editedTree();
    const data = dataIds();
    const outcome = await newcomer({ reference: false });
    expect(outcome.reference).toBeUndefined();
    expect(dataIds().length).toBeGreaterThan(data.length);
    expectSnapshotIsRight();
  });

  test("what differs is sent, together, whatever its times say", async () => {
    await editedTree();
    for (let index = 0; index < files; index += 50) {
      const file = join(fx.source, `d${index % 5}`, `e${index % 3}`, `f${index}`);
      put(index, index + 77_000); // of the same length
      utimesSync(file, 1_700_000_000, 1_700_000_000);
    }
    for (let index = files; index < files + 10; index++) put(index, index);
    const data = dataIds();
    await newcomer();
    expectSnapshotIsRight();
    // 18 files of 11 KB in two bundles or three, and no whole bundle of what is there.
    expect(dataIds().length - data.length).toBeLessThanOrEqual(4);
    expect(fx.warnings).toEqual([]);
  });

  test("random edits on both sides: the snapshot equals the folder, and nothing is sent twice", async () => {
    const edit = fc.record({ index: fc.nat(150), seed: fc.integer({ min: 1, max: 1e6 }) });
    const edits = fc.array(edit, { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(edits, edits, edits, async (...rounds) => {
        rmSync(fx.source, { recursive: true, force: true });
        rmSync(fx.cachePath, { force: true });
        fx.gateway = new MemoryGateway();
        for (let index = 0; index < 120; index++) put(index, index + 1);
        for (const [at, round] of rounds.entries()) {
          await (at === 2 ? newcomer() : fx.run());
          expectSnapshotIsRight();
          for (const { index, seed } of round) put(index, seed);
        }
        await newcomer();
        expectSnapshotIsRight();
        expect(fx.gateway.sentTwice).toBe(0);
        expect(fx.warnings).toEqual([]);
      }),
      { numRuns: 6 },
    );
  });

  test("a part of the reference's folders will do", async () => {
    await editedTree();
    const data = dataIds();
    const paths = resolveTopPaths([join(fx.source, "d1"), join(fx.source, "d2")]);
    const outcome = await newcomer({ paths });
    expect(outcome.reference?.files).toBeGreaterThan(0);
    // The last bundle of a folder differs where the walk ends there.
    expect(dataIds().length - data.length).toBe(0);
  });

  test("another group has no part in it", async () => {
    await editedTree();
    const outcome = await newcomer({}, { group: 1 });
    expect(outcome.reference).toBeUndefined();
    expect(outcome.readBackBytes).toBe(0);
  });
});

describe("a reference that is not right", () => {
  const contentOf = (draft: EntryDraft) => {
    const { content } = draft;
    const extent = content?.form === "inline" ? content.extents[0] : undefined;
    return extent === undefined || extent.hole ? undefined : extent;
  };

  test.each([
    ["names another place in a chunk", (offset: number) => ({ offset: offset === 0 ? 1 : offset - 1 })],
    ["gives a chunk another length", () => ({ plainLength: 2 ** 20 - 1 })],
  ])("%s: found, told, and nothing of it is taken", async (_, change) => {
    await editedTree();
    const data = dataIds();
    await commitChanged(fx.gateway, (path, draft) => {
      const extent = contentOf(draft);
      // A chunk's length can be told only once in a page: all of its files say the same.
      if (extent === undefined || !/\/f\d+$/.test(path)) return draft;
      const inside = extent.offset + extent.length < extent.plainLength || extent.offset > 0;
      if (!inside) return draft;
      return { ...draft, content: { form: "inline", extents: [{ ...extent, ...change(extent.offset) }] } };
    });
    const outcome = await newcomer();
    expect(fx.warnings.join()).toMatch(/f\d+: snapshot .* of device device ed names content/);
    expect(fx.warnings).toHaveLength(1);
    expect(outcome.reference?.files).toBe(0);
    expect(dataIds().length).toBeGreaterThan(data.length);
    expectSnapshotIsRight();
  });

  test("chunks that the gateway lost are sent", async () => {
    await editedTree();
    for (const [index, id] of dataIds().entries()) if (index % 2 === 0) fx.gateway.records.delete(id);
    await newcomer();
    expectSnapshotIsRight();
    expect(fx.warnings).toEqual([]);
  });

  test("wrong bytes under an id are reported, and no file is kept there", async () => {
    await editedTree();
    for (const id of dataIds()) fx.gateway.records.set(id, spoilt(fx.gateway.records.get(id) as Buffer));
    const outcome = await newcomer();
    expect(fx.gateway.suspects.length).toBeGreaterThan(0);
    expect(fx.warnings.join()).toContain("which device desktop wrote, is not what its id names");
    expect(outcome.reference?.files).toBe(0);
    expect(outcome.readBackBytes).toBeGreaterThan(0);
  });

  test("pages that are gone: the run goes on without it", async () => {
    await editedTree();
    for (const [id, record] of fx.gateway.records) {
      if (!isData(record) && record.readUInt32LE(16) > 0) fx.gateway.records.delete(id);
    }
    const outcome = await newcomer();
    expect(fx.warnings.join()).toMatch(/snapshot .* of device ee cannot be built on .*; reading everything/);
    expect(outcome.reference).toBeUndefined();
    expectSnapshotIsRight();
  });

  test("a snapshot of a newer format is passed over", async () => {
    await editedTree();
    const [row] = fx.gateway.newest;
    const object = Buffer.from(fx.gateway.snapshots.get(row?.id ?? "") as Buffer);
    object[4] = 9;
    fx.gateway.snapshots.set(row?.id ?? "", object);
    const outcome = await newcomer();
    expect(outcome.reference).toBeUndefined();
    expect(fx.warnings).toEqual([]);
    expectSnapshotIsRight();
  });
});
