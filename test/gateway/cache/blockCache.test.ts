// The block cache by itself: its limit, damage, crashes, a folder that goes away, and that no other bytes are ever handed out.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { selectBlockEngine } from "../../../agent/platform/blockEngine.ts";
import { selectCachedRead } from "../../../agent/platform/cachedRead.ts";
import { BlockCache } from "../../../gateway/cache/blockCache.ts";
import { type BlockEngine, nodeBlockEngine } from "../../../gateway/cache/blockEngine.ts";
import { BlockMemory } from "../../../gateway/cache/blockMemory.ts";
import { blockBytes } from "../../../gateway/cache/slotFile.ts";
import { type Random, randomFrom } from "../../fidelity/random.ts";
import { diskFolder } from "../../memoryFolder.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
let directory: string;
let reported: string[];
let engine: BlockEngine = nodeBlockEngine;
beforeEach(() => {
  directory = join(mkdtempSync(join(diskFolder(), "holdfast-cache-")), "cache");
  reported = [];
});
afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));

const open = (blocks: number, reserveBytes = 0): Promise<BlockCache> =>
  BlockCache.open({
    directory,
    bytesMax: blocks * blockBytes,
    reserveBytes,
    engine,
    report: (event) => void reported.push(event),
  });

const name = Buffer.alloc(32, 7);

async function get(cache: BlockCache, block: number, length: number, from = 0): Promise<Buffer | undefined> {
  const into = Buffer.alloc(length, 0xee);
  return (await cache.read(name, block, into, from)) ? into : undefined;
}

const engines: readonly (readonly [string, () => BlockEngine])[] = [
  ["what is everywhere", () => nodeBlockEngine],
  ["the process's own functions", native],
];

function native(): BlockEngine {
  const found = selectBlockEngine();
  if (found === undefined) throw new Error("there is no engine for blocks on this machine");
  return found;
}

/** The bytes where readers have them: in memory that may be written past the page cache. */
function placed(bytes: Buffer): Buffer {
  const memory = new BlockMemory(engine.addressOf).take(bytes.length);
  bytes.copy(memory);
  return memory;
}

describe.each(engines)("with %s", (_, select) => {
  beforeEach(() => {
    engine = select();
  });

  test("gives back what was put, in parts and after it is opened again; no more than its limit", async () => {
    let cache = await open(4);
    const blocks = Array.from({ length: 9 }, (_, i) => randomBytes(i === 8 ? 70_001 : blockBytes));
    for (const [i, bytes] of blocks.entries()) await cache.put(name, i, placed(bytes), i % 2 === 0);
    expect(cache.size).toBe(4);
    expect(statSync(join(directory, "blocks")).size).toBeLessThanOrEqual(4 * blockBytes);
    for (let round = 0; round < 2; round++) {
      expect((await get(cache, 8, 70_001))?.equals(blocks[8]!)).toBe(true);
      expect((await get(cache, 8, 10, 65_530))?.equals(blocks[8]!.subarray(65_530, 65_540))).toBe(true);
      expect(await get(cache, 8, 10, 70_000), "beyond its end").toBeUndefined();
      await cache.close();
      cache = await open(4);
      expect(cache.size).toBe(4);
    }
    await cache.close();
  });

  test("what is read stays, what is not read goes first", async () => {
    const cache = await open(8);
    for (let i = 0; i < 8; i++) await cache.put(name, i, randomBytes(100));
    for (let i = 8; i < 40; i++) {
      expect(await get(cache, 0, 100), `before block ${i}`).toBeDefined();
      await cache.put(name, i, randomBytes(100));
    }
    expect(cache.has(name, 0)).toBe(true);
    expect(cache.size).toBe(8);
    await cache.close();
  });

  test("a smaller limit cuts the files", async () => {
    const large = await open(8);
    for (let i = 0; i < 8; i++) await large.put(name, i, randomBytes(blockBytes));
    await large.close();
    const small = await open(3);
    expect(small.size).toBe(3);
    expect(statSync(join(directory, "blocks")).size).toBe(3 * blockBytes);
    for (let i = 0; i < 3; i++) expect(await get(small, i, blockBytes)).toBeDefined();
    await small.close();
  });

  test("damage anywhere in the files is a miss, never other bytes, and its place is used again", async () => {
    console.log(`HOLDFAST_SEED=${seed}`);
    const random = randomFrom(seed);
    const blocks = Array.from({ length: 6 }, () => randomBytes(200_000));
    let misses = 0;
    for (let round = 0; round < 40; round++) {
      rmSync(directory, { recursive: true, force: true });
      let cache = await open(6);
      for (const [i, bytes] of blocks.entries()) await cache.put(name, i, placed(bytes), i % 2 === 0);
      await cache.close();
      spoil(random);
      cache = await open(6);
      for (const [i, bytes] of blocks.entries()) {
        const from = random.below(150_000);
        const found = await get(cache, i, 1 + random.below(50_000), from);
        if (found === undefined) misses++;
        else expect(found.equals(bytes.subarray(from, from + found.length)), `round ${round}`).toBe(true);
      }
      await cache.close();
    }
    expect(misses).toBeGreaterThan(10);
  });

  test("the folder may be deleted while it is in use: it is begun anew, and never serves what is not there", async () => {
    const cache = await open(1000);
    const bytes = randomBytes(5000);
    for (let i = 0; i < 10; i++) await cache.put(name, i, bytes);
    rmSync(directory, { recursive: true });
    for (let i = 10; i < 200; i++) {
      await cache.put(name, i, bytes);
      const found = await get(cache, i % 20, 5000);
      if (found !== undefined) expect(found.equals(bytes)).toBe(true);
    }
    expect(existsSync(join(directory, "blocks"))).toBe(true);
    expect((await get(cache, 199, 5000))?.equals(bytes)).toBe(true);
    await cache.close();
    expect(reported).toEqual([]);
  });

  test("it does not grow on a disk that is near its reserve", async () => {
    const cache = await open(1000, 2 ** 60);
    for (let i = 0; i < 20; i++) await cache.put(name, i, randomBytes(100));
    expect(cache.size).toBe(0);
    await cache.close();
  });

  test("many readers and writers at once get the right bytes or none", async () => {
    const random = randomFrom(seed);
    const cache = await open(24);
    const content = (block: number): Buffer => randomFrom(block + 1).bytes(block % 3 === 0 ? 90_000 : 98_304);
    let hits = 0;
    const one = async (): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const block = random.below(40);
        if (random.below(10) === 0) await cache.drop(name, block);
        const from = random.below(80_000);
        const found = await get(cache, block, 10_000, from);
        if (found === undefined) await cache.put(name, block, placed(content(block)), random.below(2) === 0);
        else {
          hits++;
          expect(found.equals(content(block).subarray(from, from + 10_000))).toBe(true);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, one));
    expect(hits).toBeGreaterThan(50);
    expect(cache.size).toBeLessThanOrEqual(24);
    await cache.close();
  });
});

test.runIf(process.platform === "linux")(
  "what is read once does not stay in the system's memory",
  async (context) => {
    engine = native();
    const cache = await open(8);
    await cache.put(name, 0, placed(randomBytes(blockBytes)), true);
    await cache.put(name, 1, placed(randomBytes(blockBytes)), false);
    await cache.put(name, 2, placed(randomBytes(blockBytes)), true);
    const file = openSync(join(directory, "blocks"), "r");
    const readNow = selectCachedRead();
    const resident = [0, 1, 2].map((block) => readNow?.(file, Buffer.alloc(blockBytes), block * blockBytes));
    closeSync(file);
    await cache.close();
    if (resident.every(Boolean)) {
      const where = execFileSync("stat", ["--file-system", "--format=%T", directory], { encoding: "utf8" });
      context.skip(`${where.trim()} writes everything through the page cache`);
    }
    expect(resident).toEqual([false, true, false]);
  },
);

test("checksums of another kind are empty places", async () => {
  engine = nodeBlockEngine;
  const before = await open(2);
  await before.put(name, 0, randomBytes(5000));
  await before.close();
  engine = native();
  const after = await open(2);
  expect(after.size).toBe(0);
  const bytes = randomBytes(5000);
  for (let block = 0; block < 2; block++) await after.put(name, block, bytes);
  expect((await get(after, 1, 5000))?.equals(bytes)).toBe(true);
  await after.close();
});

/** Flips, cuts, swaps places, or puts an older file back. */
function spoil(random: Random): void {
  const path = join(directory, random.below(2) === 0 ? "blocks" : "index");
  const bytes = readFileSync(path);
  const kind = random.below(4);
  if (kind === 0) for (let i = 0; i < 8; i++) bytes[random.below(bytes.length)]! ^= 1 + random.below(255);
  else if (kind === 1) {
    truncateSync(path, random.below(bytes.length));
    return;
  } else if (kind === 2) {
    const step = path.endsWith("index") ? bytes.length / 6 : blockBytes;
    const copy = Buffer.from(bytes.subarray(0, step));
    bytes.copy(bytes, 0, step, 2 * step);
    copy.copy(bytes, step);
  } else bytes.fill(0, random.below(bytes.length));
  writeFileSync(path, bytes);
}
