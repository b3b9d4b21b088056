import { randomBytes } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Compressor,
  createNativeCompressor,
  createNodeCompressor,
} from "../../../agent/platform/compressor.ts";
import { seededBytes } from "../../vault/seeded.ts";

const MiB = 1 << 20;
const made = {
  native: () => createNativeCompressor(4 * MiB, 3),
  node: () => createNodeCompressor(3),
};

/** Content that shrinks, of a length and look of its own, in shared memory at an odd address as a chunk lies in a window. */
function content(i: number): Buffer {
  const length = i === 0 ? 4 * MiB : 1 + i * 40_000;
  const memory = Buffer.from(new SharedArrayBuffer(length + 3)).subarray(3);
  memory.fill(seededBytes(`compressor ${i}`, 700));
  return memory;
}

describe.each(Object.entries(made))("%s", (_, make) => {
  let compressor: Compressor;
  afterEach(() => compressor.close());

  test("many frames at a time are each that of its content, at any level", async () => {
    compressor = make();
    const contents = Array.from({ length: 20 }, (_, i) => content(i));
    const frames = await Promise.all(
      contents.map((bytes, i) => compressor.compress(bytes, 1 + (i % 3), (frame) => Buffer.from(frame))),
    );
    for (const [i, frame] of frames.entries()) {
      expect(frame.length).toBeLessThan(contents[i]!.length);
      expect(zstdDecompressSync(frame).equals(contents[i]!)).toBe(true);
    }
  });

  test("nothing and what does not shrink have frames too", async () => {
    compressor = make();
    for (const bytes of [Buffer.alloc(0), randomBytes(4 * MiB)]) {
      const opened = compressor.compress(bytes, 2, (frame) => zstdDecompressSync(frame));
      expect((await opened).equals(bytes)).toBe(true);
    }
  });

  test("what the taker of a frame throws is the answer, and the next frames come", async () => {
    compressor = make();
    const refused = Array.from({ length: 4 }, (_, i) =>
      compressor.compress(content(i), 2, () => {
        throw new Error(`refused ${i}`);
      }),
    );
    // All at once: while one is looked at, another must not be refused with nobody looking.
    await Promise.all(refused.map((each, i) => expect(each).rejects.toThrow(`refused ${i}`)));
    expect(await compressor.compress(content(1), 2, (frame) => zstdDecompressSync(frame).length)).toBe(
      40_001,
    );
  });

  test("closing waits for what runs; nobody gets a frame afterwards", async () => {
    compressor = make();
    let taken = 0;
    for (let i = 0; i < 8; i++) void compressor.compress(content(0), 2, () => taken++);
    await compressor.close();
    const atClose = taken;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([atClose, taken]).toEqual([0, 0]);
    expect(() => compressor.compress(content(1), 2, () => 0)).toThrow("closed");
  });
});
