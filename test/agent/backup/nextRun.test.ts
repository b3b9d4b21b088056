// Runs after the first: what is sent, what is kept, whatever was edited in between.

import {
  appendFileSync,
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { backupFixture, noise, old } from "./backupFixture.ts";
import { MemoryGateway } from "./memoryGateway.ts";
import { folderFacts, folderId, snapshotFacts } from "./readBack.ts";

const fx = backupFixture();

describe("the next run", () => {
  test("sends nothing for an unchanged tree, with and without its cache", async () => {
    fx.smallTree(80);
    writeFileSync(join(fx.source, "large"), noise(3_000_000, 7));
    await fx.run();
    const data = dataRecords();
    const id = folderId(fx.gateway, fx.source);
    for (const prepare of [
      () => undefined,
      () => rmSync(fx.cachePath),
      () => writeFileSync(fx.cachePath, noise(50_000, 3)),
      () => truncateSync(fx.cachePath, Math.floor(readFileSync(fx.cachePath).length / 2)),
      () => corruptMiddle(fx.cachePath),
    ]) {
      prepare();
      const next = await fx.run();
      // Other programs work in the folder for temporary files, so the pages above ours may differ.
      expect(dataRecords()).toBe(data);
      expect(folderId(fx.gateway, fx.source)).toBe(id);
      expect(next.newChunks).toBeLessThan(8);
    }
    expect(fx.warnings).toEqual([]);
    expect(fx.gateway.sentTwice).toBe(0);
  });

  test("--rescan reads everything and sends nothing", async () => {
    fx.smallTree(40);
    const first = await fx.run();
    const data = dataRecords();
    const id = folderId(fx.gateway, fx.source);
    const again = await fx.run({ rescan: true });
    expect(again.counts.filesRead).toBe(first.counts.filesRead);
    expect(folderId(fx.gateway, fx.source)).toBe(id);
    expect(dataRecords()).toBe(data);
  });

  test("a touched file is read and keeps its content's place", async () => {
    fx.smallTree(40);
    await fx.run();
    old(join(fx.source, "d1", "f1"));
    const next = await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(next.newChunks).toBeLessThanOrEqual(20); // pages on the way to it, no data
    expect(next.sentBytes).toBeLessThan(20_000);
  });

  describe("reads a file again of which nothing changed but", () => {
    const sizeAndTime = (path: string): string => {
      const { size, mtimeNs } = lstatSync(path, { bigint: true });
      return `${size} ${mtimeNs}`;
    };

    /** Changes a file so that its size and time stay, and backs up: it must be read, and no other. */
    async function changed(change: (path: string) => void): Promise<void> {
      fx.smallTree(40);
      const path = join(fx.source, "d1", "f1");
      old(path);
      const before = sizeAndTime(path);
      const run = () => fx.run({}, { aheadMs: 60_000 });
      await run();
      change(path);
      expect(sizeAndTime(path)).toBe(before);
      const next = await run();
      expect(next.counts.filesRead).toBe(1);
      expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
      expect((await run()).counts.filesRead).toBe(0);
    }

    test("its change time: new content, the old size and time", () =>
      changed((path) => {
        const { ino } = lstatSync(path);
        writeFileSync(path, noise(lstatSync(path).size, 4711));
        old(path);
        expect(lstatSync(path).ino).toBe(ino);
      }));

    test("its change time: a mode that went and came back", () =>
      changed((path) => {
        const { mode } = lstatSync(path);
        chmodSync(path, 0o600);
        chmodSync(path, mode & 0o7777);
      }));

    test("its inode: another file of the same size and time took its place", () =>
      changed((path) => {
        const { ino, size } = lstatSync(path);
        writeFileSync(`${path}.new`, noise(size, 4712));
        old(`${path}.new`);
        renameSync(`${path}.new`, path);
        expect(lstatSync(path).ino).not.toBe(ino);
      }));
  });

  test("edits in a large file send little", async () => {
    const file = join(fx.source, "image");
    writeFileSync(file, noise(24 * 2 ** 20, 9));
    await fx.run();
    const fd = openSync(file, "r+");
    writeSync(fd, noise(1000, 77), 0, 1000, 11 * 2 ** 20);
    closeSync(fd);
    const next = await fx.run();
    expect(next.sentBytes).toBeLessThan(9 * 2 ** 20);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("another tree with the same files sends no data", async () => {
    fx.smallTree(60);
    await fx.run();
    const data = fx.gateway.receivedRecords;
    renameSync(fx.source, `${fx.source}-moved`);
    fx.source = `${fx.source}-moved`;
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(fx.gateway.receivedRecords - data).toBeLessThan(20);
  });

  test("random edits: every snapshot equals the folder", async () => {
    const edit = fc.record({
      kind: fc.constantFrom("write", "append", "remove", "mkdir", "rename", "truncate"),
      a: fc.nat(40),
      b: fc.nat(40),
      size: fc.oneof(fc.nat(3000), fc.nat(400_000), fc.nat(3_000_000)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(edit, { maxLength: 12 }), { minLength: 1, maxLength: 3 }),
        async (rounds) => {
          rmSync(fx.source, { recursive: true, force: true });
          mkdirSync(fx.source);
          rmSync(fx.cachePath, { force: true });
          fx.gateway = new MemoryGateway();
          fx.smallTree(25);
          for (const edits of rounds) {
            for (const { kind, a, b, size } of edits) applyEdit(kind, a, b, size);
            await fx.run();
            expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
          }
          expect(fx.gateway.sentTwice).toBe(0);
          expect(fx.warnings).toEqual([]);
        },
      ),
      { numRuns: 5 },
    );
  });

  test("bundles that are hardly used any more are emptied", async () => {
    for (let index = 0; index < 200; index++)
      writeFileSync(join(fx.source, `f${index}`), noise(3000, index + 1));
    for (let index = 0; index < 200; index++) old(join(fx.source, `f${index}`));
    await fx.run();
    for (let index = 0; index < 200; index++) {
      if (index % 10 !== 0) writeFileSync(join(fx.source, `f${index}`), noise(3000, index + 1000));
    }
    await fx.run(); // finds the sparse bundle
    await fx.run(); // moves its rest
    const data = dataRecords();
    await fx.run();
    expect(dataRecords()).toBe(data);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(JSON.parse(readFileSync(`${fx.cachePath}.sweep`, "utf8"))).toMatchObject({ move: [] });
  });
});

/** Chunks of file content at the gateway. */
function dataRecords(): number {
  return [...fx.gateway.records.values()].filter(
    (record) => parseRecordHeader(record).type === RecordType.data,
  ).length;
}

function corruptMiddle(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
  bytes[Math.floor(bytes.length / 3)]! ^= 0xff;
  writeFileSync(path, bytes);
}

function applyEdit(kind: string, a: number, b: number, size: number): void {
  const file = join(fx.source, `d${a % 7}`, `f${a}`);
  const other = join(fx.source, `d${b % 7}`, `f${b}`);
  try {
    if (kind === "write") writeFileSync(file, noise(size, a + size));
    else if (kind === "append") appendFileSync(file, noise(size % 5000, b));
    else if (kind === "remove") rmSync(file);
    else if (kind === "mkdir") mkdirSync(join(fx.source, `d${a % 7}`, `sub${b}`), { recursive: true });
    else if (kind === "rename") renameSync(file, other);
    else truncateSync(file, size % 4000);
  } catch {
    // the edit does not fit what is there: a different sequence, no less good
  }
}
