// The process's own checksum and addresses, for a cache of blocks.

import { randomBytes } from "node:crypto";
import { xxhash64 } from "hash-wasm";
import { expect, test } from "vitest";
import { selectBlockEngine } from "../../../agent/platform/blockEngine.ts";
import { givenWithoutNative } from "./eachPlatform.ts";

test.runIf(process.platform === "linux")(
  "the checksum is the lower half of XXH64, by another program too",
  async () => {
    const { checksum } = selectBlockEngine()!;
    const memory = randomBytes(200_000);
    for (const [from, length] of [
      [0, 0],
      [1, 1],
      [7, 31],
      [64, 4096],
      [4097, 65_536],
      [0, 200_000],
    ] as const) {
      const bytes = memory.subarray(from, from + length);
      expect(checksum(bytes)).toBe(Number.parseInt((await xxhash64(bytes)).slice(8), 16));
    }
  },
);

test.runIf(process.platform === "linux")("views of one memory lie as far apart as they begin", () => {
  const { addressOf } = selectBlockEngine()!;
  const memory = Buffer.allocUnsafeSlow(10_000);
  expect(addressOf(memory.subarray(4097)) - addressOf(memory)).toBe(4097);
  expect(addressOf(memory)).toBeGreaterThan(0);
});

test("is left out where libc is", () => {
  expect(givenWithoutNative("blockEngine.ts", "selectBlockEngine")).toBe("undefined");
});
