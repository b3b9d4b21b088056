// Requests that reading costs: one per block whoever asks, neighbours together, nothing ahead of random reads, bounded memory.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BlockCache } from "../../../gateway/cache/blockCache.ts";
import { BlockReader, type BlockSource } from "../../../gateway/cache/blockReader.ts";
import { roomBytesMax } from "../../../gateway/cache/heldRuns.ts";
import { blockBytes } from "../../../gateway/cache/slotFile.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { randomFrom } from "../../fidelity/random.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 5);
const packBytes = 32 * blockBytes + 12_345;
let directory: string;
let cache: BlockCache;
let reader: BlockReader;
/** Requests: pack, first block, blocks. */
let requests: { pack: number; first: number; count: number }[];
let under: number;
let underMost: number;
let failing: boolean;
/** All memory that blocks ever came into. */
let buffers: Set<ArrayBufferLike>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "holdfast-blocks-"));
  cache = await BlockCache.open({
    directory,
    bytesMax: 300 * blockBytes,
    reserveBytes: 0,
    report: () => undefined,
  });
  reader = new BlockReader(cache);
  requests = [];
  [under, underMost, failing] = [0, 0, false];
  buffers = new Set();
});
afterEach(async () => {
  await reader.settled();
  await cache.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The byte that all of a stretch of 4 KiB is of. */
const byteAt = (pack: number, offset: number): number => ((offset >>> 12) * 31 + pack * 7) & 0xff;

function source(pack: number, packs = 1): BlockSource {
  return {
    name: Buffer.alloc(32, pack),
    bytes: packBytes,
    next: () => (pack + 1 < packs ? source(pack + 1, packs) : undefined),
    fetch: async (offset, length, memory) => {
      requests.push({ pack, first: offset / blockBytes, count: Math.ceil(length / blockBytes) });
      under += length;
      underMost = Math.max(underMost, under);
      await turn();
      under -= length;
      if (failing) throw new HoldfastError(ErrorCode.replicaUnreachable, "away");
      const bytes = memory!(length);
      buffers.add(bytes.buffer);
      for (let at = 0; at < length; at += 4096)
        bytes.fill(byteAt(pack, offset + at), at, Math.min(length, at + 4096));
      return bytes;
    },
  };
}

async function read(pack: BlockSource, offset: number, length: number): Promise<void> {
  const into = Buffer.alloc(length, 0xff);
  await reader.read(pack, [into.subarray(0, 1000), into.subarray(1000)], offset);
  for (let i = 0; i < length; i += 509) {
    if (into[i] !== byteAt(pack.name[0]!, offset + i)) throw new Error(`another byte at ${offset + i}`);
  }
}

test("one request for a block, whoever wants it, and none once it is here", async () => {
  const pack = source(1);
  await Promise.all(Array.from({ length: 20 }, (_, i) => read(pack, 5 * blockBytes + i * 1000, 4096)));
  expect(requests).toEqual([{ pack: 1, first: 5, count: 1 }]);
  await reader.settled();
  await read(pack, 5 * blockBytes, blockBytes);
  expect(requests).toHaveLength(1);
});

test("neighbours travel together, and only what is missing", async () => {
  const pack = source(1);
  await read(pack, 10 * blockBytes - 10, 20);
  expect(requests).toEqual([{ pack: 1, first: 9, count: 2 }]);
  await reader.settled();
  requests = [];
  await read(pack, 8 * blockBytes, 4 * blockBytes);
  expect(requests).toEqual([
    { pack: 1, first: 8, count: 1 },
    { pack: 1, first: 11, count: 1 },
  ]);
});

test(`random reads: at most one request for each block that is read (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  const packs = Array.from({ length: 8 }, (_, i) => source(i, 8));
  const blocks = new Set<string>();
  for (let i = 0; i < 600; i++) {
    const pack = random.below(8);
    const offset = random.below(packBytes - 4096);
    for (const at of [offset, offset + 4095]) blocks.add(`${pack} ${Math.floor(at / blockBytes)}`);
    await read(packs[pack]!, offset, 4096);
  }
  expect(requests.length).toBeLessThanOrEqual(blocks.size);
});

test("reading in order: few requests, several at a time, on into the next pack; every block once", async () => {
  const packs = Array.from({ length: 4 }, (_, i) => source(i, 4));
  for (const pack of packs) {
    for (let at = 0; at < packBytes; at += 300_000) {
      await read(pack, at, Math.min(300_000, packBytes - at));
    }
  }
  await reader.settled();
  const fetched = requests.flatMap(({ pack, first, count }) =>
    Array.from({ length: count }, (_, i) => `${pack} ${first + i}`),
  );
  expect(new Set(fetched).size).toBe(fetched.length);
  expect(fetched).toHaveLength(4 * 33);
  expect(requests.length).toBeLessThan(66);
  expect(underMost, "several requests at a time").toBeGreaterThan(8 * blockBytes);
});

test("reading in order: the cache is not read back, and memory is used again", async () => {
  const packs = Array.from({ length: 6 }, (_, i) => source(i, 6));
  const readBack = vi.spyOn(cache, "read");
  for (const pack of packs) {
    for (let at = 0; at < packBytes; at += 500_000) {
      await read(pack, at, Math.min(500_000, packBytes - at));
      let bytes = 0;
      for (const { byteLength } of buffers) bytes += byteLength;
      expect(bytes, "what left memory is given back to the system").toBeLessThanOrEqual(roomBytesMax);
    }
  }
  await reader.settled();
  expect(readBack).not.toHaveBeenCalled();
});

test("what was fetched ahead for somebody who went away leaves memory, and is in the cache", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const pack = source(1);
    for (let at = 0; at < 6 * blockBytes; at += 500_000) await read(pack, at, 500_000);
    await reader.settled();
    const held = (): number => [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(held()).toBeGreaterThan(12 * blockBytes);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(held()).toBe(0);
    const before = requests.length;
    await read(pack, 8 * blockBytes, blockBytes);
    expect(requests).toHaveLength(before);
  } finally {
    vi.useRealTimers();
  }
});

test("blocks on their way never take more memory than is said, however many are asked for", async () => {
  const packs = Array.from({ length: 9 }, (_, i) => source(i, 9));
  const all: Promise<void>[] = [];
  for (const pack of packs) {
    for (let at = 0; at + 4 * blockBytes <= packBytes; at += 4 * blockBytes)
      all.push(read(pack, at, 4 * blockBytes));
  }
  await Promise.all(all);
  expect(underMost).toBeLessThanOrEqual(roomBytesMax);
  expect(underMost).toBeGreaterThan(roomBytesMax / 2);
});

test("a failure reaches all who wait, is not kept, and gives its room back", async () => {
  const pack = source(1);
  failing = true;
  for (let round = 0; round < 40; round++) {
    const both = await Promise.allSettled([
      read(pack, 0, 4 * blockBytes),
      read(pack, blockBytes, 2 * blockBytes),
    ]);
    for (const result of both)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "replica-unreachable" } });
    await reader.settled();
  }
  failing = false;
  await read(pack, 0, 8 * blockBytes);
});
