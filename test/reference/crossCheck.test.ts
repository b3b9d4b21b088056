// The naive chunker, sealer and hash against the fast ones, on random input.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { BundlePlanner } from "../../vault/chunk/bundle.ts";
import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";
import { splitHash as fastSplitHash } from "../../vault/chunk/split.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openRecord as fastOpen, sealRecord as fastSeal } from "../../vault/record.ts";
import { seededBytes, seededId, seededTable } from "../vault/seeded.ts";
import { bundles, fastCdcEnds, fixedEnds, fixedSizes, splitHash } from "./chunker.ts";
import { concat, hex } from "./cursor.ts";
import { fileHash } from "./fileHash.ts";
import { Keys } from "./keys.ts";
import { chunkId, openRecord, sealRecord } from "./record.ts";

const MiB = 1024 * 1024;
const seed = process.env.HOLDFAST_SEED ?? String(process.hrtime.bigint() % 1_000_000n);
console.log(`HOLDFAST_SEED=${seed}`);
const runs = (numRuns: number) => ({ numRuns, seed: Number(seed) });

const secrets = {
  vaultId: seededBytes("vault", 16),
  s: seededId("s"),
  epochs: new Map([[1, seededId("a")]]),
  currentEpoch: 1,
};
const fast = new VaultKeys(secrets);
const naive = new Keys(secrets.vaultId, secrets.s, secrets.epochs);

/** Random bytes with runs of one byte in them, where a gear hash stands still. */
function mixed(label: string, length: number): Uint8Array {
  const bytes = seededBytes(label, length);
  const places = new DataView(seededBytes(`${label} runs`, 64).buffer);
  for (let i = 0; i < 8; i++) {
    const from = places.getUint32(8 * i) % (length + 1);
    bytes.fill(i % 3, from, Math.min(length, from + (places.getUint32(8 * i + 4) % (MiB / 2))));
  }
  return bytes;
}

it("cuts by fastcdc-1 as the fast chunker does", { timeout: 120_000 }, () => {
  const gear = seededTable(`gear ${seed}`);
  for (let i = 0; i < 6; i++) {
    const bytes = mixed(`content ${seed} ${i}`, 6 * MiB + i * 12_345);
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; ends.push(at)) at = nextCut(bytes, at, bytes.length, gear);
    expect(fastCdcEnds(bytes, [...gear])).toEqual(ends);
  }
});

it.each(["fixed-1", "fixed-2"] as const)("cuts by %s as the fast chunker does", (chunker) => {
  const chunkBytes = fixedSizes[chunker];
  fc.assert(
    fc.property(fc.nat(3 * MiB), fc.integer({ min: 1, max: 5 * MiB }), (from, length) => {
      const ends: number[] = [];
      for (let at = 0; at < length; ends.push(from + at))
        at = nextFixedCut(chunkBytes, from + at, at, length);
      expect(fixedEnds(from, from + length, chunker)).toEqual(ends);
    }),
    runs(200),
  );
});

it("hashes names and plans bundles alike", () => {
  const table = seededTable(`split ${seed}`);
  const file = fc.record({
    uid: fc.integer({ min: 0, max: 1 }).map((n) => n * 1000),
    size: fc.integer({ min: 1, max: 256 * 1024 }),
    name: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 120 }), (files) => {
      for (const { name } of files) expect(splitHash(name, [...table])).toBe(fastSplitHash(name, table));
      const planner = new BundlePlanner(table);
      const starts = files.filter((each) => planner.add(each) === "startNew");
      expect(bundles(files, [...table]).map(([first]) => first)).toEqual(starts);
    }),
    runs(50),
  );
  const many = Array.from({ length: 5000 }, (_, i) => ({ uid: 0, size: 1, name: Buffer.from(`tiny ${i}`) }));
  expect(bundles(many, [...table]).map((bundle) => bundle.length)).toEqual([2048, 2048, 904]);
});

it("seals and opens alike", () => {
  const chunk = fc.oneof(
    fc.record({
      type: fc.constantFrom(1, 4),
      plaintext: fc.uint8Array({ maxLength: 9000 }),
      refs: fc.constant(0),
    }),
    fc.record({
      type: fc.constantFrom(2, 3),
      plaintext: fc.uint8Array({ maxLength: 9000 }),
      refs: fc.integer({ min: 0, max: 40 }),
    }),
  );
  const group = fc.constantFrom(0, 1, 0xffff_ffff);
  fc.assert(
    fc.property(chunk, group, ({ type, plaintext, refs: count }, group) => {
      const references = Array.from({ length: count }, (_, i) => seededId(`ref ${i}`));
      const iv = seededBytes("iv", 16);
      const plain = { type, plaintext, references };
      const id = chunkId(naive.idKey(group), plain);

      const ours = sealRecord(naive, group, 1, iv, plain);
      const expectedType = type as 1 | 2 | 3 | 4;
      const opened = fastOpen({ keys: fast, group, record: ours, expectedId: id, expectedType });
      expect(hex(opened.plaintext)).toBe(hex(plaintext));
      expect(hex(opened.refs)).toBe(hex(concat(...references)));

      const theirs = fastSeal({ keys: fast, group, type: expectedType, plaintext, refs: opened.refs });
      expect(hex(openRecord(theirs, naive, group, { id, type }).plaintext)).toBe(hex(plaintext));
    }),
    runs(100),
  );
});

it("hashes files alike", () => {
  const run = fc.record({ zeros: fc.boolean(), length: fc.integer({ min: 1, max: 2 * MiB }) });
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), (pieces) => {
      const content = Buffer.concat(
        pieces.map(({ zeros, length }, i) =>
          zeros ? Buffer.alloc(length) : seededBytes(`piece ${i}`, length),
        ),
      );
      const hasher = new FileHasher(fast.fileHashKey);
      hasher.update(content);
      const found = fileHash(naive.fileHashKey(), {
        size: content.length,
        isHole: () => false,
        read: (offset, length) => content.subarray(offset, offset + length),
      });
      expect(hex(found!)).toBe(hex(hasher.digest()!));
    }),
    runs(8),
  );
});
