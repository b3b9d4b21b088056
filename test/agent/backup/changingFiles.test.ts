// Files that are not any more what the walk saw when they are read, or that change under the reader's hands.

import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { noise } from "./backupFixture.ts";
import { Reading, saidOf } from "./reading.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const scratch = mkdtempSync(join(tmpdir(), "holdfast-reading-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let counter = 0;
let folder = "";
const reading = new Reading();

beforeEach(() => {
  folder = join(scratch, `${counter++}`);
  mkdirSync(folder);
  reading.onChunk = () => undefined;
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  expect(openBelow(scratch)).toEqual([]);
});
afterAll(() => reading.close());

/** Descriptors of this process that are open below a folder. */
function openBelow(path: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(path) ? [target] : [];
    } catch {
      return []; // the one that lists them
    }
  });
}

function put(name: string, size: number, seed = 1): string {
  const path = join(folder, name);
  writeFileSync(path, noise(size, seed));
  return path;
}

function makeSparse(path: string, size: number, dataAt: readonly number[], dataBytes = 4 * KiB): void {
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  for (const [index, at] of dataAt.entries()) writeSync(fd, noise(dataBytes, index + 1), 0, dataBytes, at);
  closeSync(fd);
}

describe("sizes at every border", () => {
  const borders = [256 * KiB, MiB, 4 * MiB, 6 * MiB];
  const sizes = [
    0,
    1,
    ...borders.flatMap((border) => [border - 1, border, border + 1]),
    12 * MiB,
    12 * MiB + 1,
  ];

  test.each(["fastcdc-1", "fixed-1", "fixed-2"] as const)("come back whole by %s", async (chunker) => {
    const own = new Reading(chunker);
    const files = sizes.map((size) => own.see(put(`f${size}`, size, size + 1)));
    const reads = await own.read(files);
    await own.close();
    for (const [index, read] of reads.entries()) {
      expect(saidOf(read.outcome)).toBe("");
      expect(own.content(read).equals(noise(sizes[index] as number, (sizes[index] as number) + 1))).toBe(
        true,
      );
    }
  });
});

describe("between the look and the reading, a small file", () => {
  test.each([
    ["grows to one that is still small", 200 * KiB],
    ["grows to exactly the largest that is small", 256 * KiB],
    ["grows beyond it", 256 * KiB + 1],
    ["grows to a large one", 9 * MiB],
    ["becomes empty", 0],
    ["shrinks", 10],
  ])("%s, and is read as it is now", async (_, size) => {
    const neighbours = [put("a", 5000, 7), put("c", 6000, 8)];
    const path = put("b", 1000);
    const files = [neighbours[0], path, neighbours[1]].map((each) => reading.see(each as string));
    writeFileSync(path, noise(size, 9));
    const [a, b, c] = await reading.read(files);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three were asked for");
    expect([a, b, c].map(({ outcome }) => saidOf(outcome))).toEqual(["", "", ""]);
    expect(reading.content(a).equals(noise(5000, 7))).toBe(true);
    expect(reading.content(b).equals(noise(size, 9))).toBe(true);
    expect(reading.content(c).equals(noise(6000, 8))).toBe(true);
    expect(b.outcome.row).toBeDefined();
    expect(a.outcome.row).toBeUndefined();
  });

  test("has become a terabyte of holes", async () => {
    const path = put("a", 1000);
    const file = reading.see(path);
    makeSparse(path, 2 ** 40, [2 ** 39]);
    const [read] = await reading.read([file]);
    expect(read?.outcome).toMatchObject({ failed: undefined, changed: undefined, size: 2 ** 40 });
    const data = reading.pieces(read!).filter(({ hole }) => !hole);
    expect(data.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(MiB);
  });

  test("grows together with all others of its bundle", async () => {
    const names = Array.from({ length: 60 }, (_, index) => `f${String(index).padStart(2, "0")}`);
    const files = names.map((name) => reading.see(put(name, 1000)));
    for (const [index, name] of names.entries()) put(name, 250_000 + index, index + 1);
    const reads = await reading.read(files);
    for (const [index, read] of reads.entries()) {
      expect(saidOf(read.outcome)).toBe("");
      expect(reading.content(read).equals(noise(250_000 + index, index + 1))).toBe(true);
    }
  });

  test.each([
    ["goes", () => undefined],
    ["becomes a folder", (path: string) => mkdirSync(path)],
    ["becomes a link", (path: string) => symlinkSync("/etc/passwd", path)],
    ["becomes a link to itself", (path: string) => symlinkSync(path, path)],
    ["becomes a FIFO", (path: string) => execFileSync("mkfifo", [path])],
  ])("%s: a failure of that file alone", async (_, appear) => {
    for (const size of [1000, 300 * KiB]) {
      const path = put("b", size);
      const files = [reading.see(put("a", 500, 3)), reading.see(path)];
      rmSync(path);
      appear(path);
      const [a, b] = await reading.read(files);
      expect(reading.content(a!).equals(noise(500, 3))).toBe(true);
      expect(b?.outcome.failed).toMatch(/\w/);
      expect(b?.content).toBeUndefined();
      rmSync(path, { recursive: true, force: true });
    }
  });

  test("is replaced by another one of the same size", async () => {
    const path = put("a", 1000);
    const file = reading.see(path);
    renameSync(put("b", 1000, 5), path);
    const [read] = await reading.read([file]);
    expect(reading.content(read!).equals(noise(1000, 5))).toBe(true);
    expect(read?.outcome.row).toBeDefined();
  });
});

describe("while it is read, a large file", () => {
  // Far more than fits the windows, so that most of it is unread when the first chunk is found.
  const size = 40 * MiB;

  async function readWhile(path: string, change: () => void) {
    const file = reading.see(path);
    let changed = false;
    reading.onChunk = () => {
      if (!changed) change();
      changed = true;
    };
    const [read] = await reading.read([file]);
    return read!;
  }

  test("shrinks: it is kept as far as it went, with a warning", async () => {
    const path = put("a", size);
    const read = await readWhile(path, () => truncateSync(path, 30 * MiB));
    expect(read.outcome.changed).toMatch(/changed while it was read/);
    expect(read.outcome.size).toBe(30 * MiB);
    expect(reading.content(read).equals(noise(size, 1).subarray(0, 30 * MiB))).toBe(true);
  });

  test("grows: it is kept as large as it was, with a warning", async () => {
    const path = put("a", size);
    const read = await readWhile(path, () => writeFileSync(path, noise(5 * MiB, 3), { flag: "a" }));
    expect(read.outcome.changed).toMatch(/changed while it was read/);
    expect(reading.content(read).equals(noise(size, 1))).toBe(true);
  });

  test("loses its name: what was opened is read to the end", async () => {
    const path = put("a", size);
    const read = await readWhile(path, () => rmSync(path));
    expect(reading.content(read).equals(noise(size, 1))).toBe(true);
  });

  test("of holes shrinks within the hole at its end", async () => {
    const path = join(folder, "sparse");
    makeSparse(path, 2 ** 36, [0], 30 * MiB);
    const read = await readWhile(path, () => truncateSync(path, 2 ** 35));
    expect(read.outcome).toMatchObject({ size: 2 ** 35, changed: expect.stringMatching(/changed/) });
    expect(reading.pieces(read).at(-1)).toMatchObject({ hole: true });
  });
});

test("thousands of runs of data keep their places and their holes", async () => {
  const path = join(folder, "sparse");
  const places = Array.from({ length: 2500 }, (_, index) => index * 16 * KiB + 8 * KiB);
  makeSparse(path, 2500 * 16 * KiB + 5000, places);
  const [read] = await reading.read([reading.see(path)]);
  expect(saidOf(read!.outcome)).toBe("");
  const pieces = reading.pieces(read!);
  expect(pieces.filter(({ hole }) => !hole).length).toBe(2500);
  let at = 0;
  for (const { hole, length } of pieces) {
    if (!hole) expect(at % (16 * KiB)).toBe(8 * KiB);
    at += length;
  }
  expect(read?.content?.form).toBe("pages");
});
