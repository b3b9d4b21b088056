// Reads that do not wait for the disk: right bytes or none.

import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { selectCachedRead } from "../../../agent/platform/cachedRead.ts";
import { givenWithoutNative } from "./eachPlatform.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-cached-read-"));
const path = join(folder, "file");
const bytes = randomBytes(300_000);
let fd = -1;

beforeAll(() => {
  writeFileSync(path, bytes);
  fd = openSync(path, "r");
});
afterAll(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test.runIf(process.platform === "linux")("gives what is in the page cache, at any place", () => {
  const read = selectCachedRead();
  if (read === undefined) throw new Error("libc was not found");
  readFileSync(path);
  for (const [from, length] of [
    [0, 1],
    [4095, 8192],
    [299_999, 1],
    [1234, 250_000],
  ] as const) {
    const into = Buffer.alloc(length);
    expect(read(fd, into, from)).toBe(true);
    expect(into.equals(bytes.subarray(from, from + length))).toBe(true);
  }
  expect(read(fd, Buffer.alloc(0), 0)).toBe(true);
});

test.runIf(process.platform === "linux")(
  "refuses what is not all there, and a descriptor that is none",
  () => {
    const read = selectCachedRead();
    expect(read?.(fd, Buffer.alloc(10), bytes.length - 5)).toBe(false);
    expect(read?.(fd, Buffer.alloc(10), bytes.length)).toBe(false);
    expect(read?.(1_000_000, Buffer.alloc(10), 0)).toBe(false);
  },
);

test("is left out where libc is", () => {
  expect(givenWithoutNative("cachedRead.ts", "selectCachedRead")).toBe("undefined");
});
