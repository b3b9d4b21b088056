import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BundlePlanner, isBundled } from "../../vault/chunk/bundle.ts";
import { fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { nextCut } from "../../vault/chunk/fastCdc.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";
import { splitHash } from "../../vault/chunk/split.ts";
import { limits } from "../../vault/limits.ts";
import { seededBytes, seededTable } from "./seeded.ts";

const MiB = 1024 * 1024;

/** format.md 6.1 word by word, in plain numbers. */
function naiveCuts(bytes: Uint8Array, gear: Uint32Array): number[] {
  const cuts: number[] = [];
  let start = 0;
  while (start < bytes.length) {
    const rest = bytes.length - start;
    let length = Math.min(rest, 4 * MiB);
    if (rest > 256 * 1024) {
      let h = 0;
      for (let i = 256 * 1024; i < length; i++) {
        h = (h * 2 + gear[bytes[start + i]!]!) % 2 ** 32;
        if (i < MiB ? h < 2 ** 10 : h < 2 ** 14) {
          length = i + 1;
          break;
        }
      }
    }
    start += length;
    cuts.push(start);
  }
  return cuts;
}

function fastCuts(bytes: Uint8Array, gear: Uint32Array): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    at = nextCut(bytes, at, bytes.length, gear);
    cuts.push(at);
  }
  return cuts;
}

/** Cuts found through a buffer that is refilled in odd pieces and holds at least 4 MiB or the end. */
function windowedCuts(bytes: Uint8Array, gear: Uint32Array, slack: number, shift: number): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const available = Math.min(bytes.length - at, limits.chunkBytesMax + slack);
    const window = new Uint8Array(shift + available + 7);
    window.set(bytes.subarray(at, at + available), shift);
    at += nextCut(window, shift, shift + available, gear) - shift;
    cuts.push(at);
  }
  return cuts;
}

/** Content with random, constant and repeating stretches of up to 3 MiB. */
const content = fc
  .array(
    fc.record({
      kind: fc.constantFrom("random", "constant", "period"),
      length: fc.integer({ min: 1, max: 3 * MiB }),
      seed: fc.nat(),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) =>
    Buffer.concat(
      parts.map(({ kind, length, seed }) => {
        if (kind === "random") return seededBytes(`content ${seed}`, length);
        if (kind === "constant") return Buffer.alloc(length, seed & 0xff);
        return Buffer.alloc(length, seededBytes(`period ${seed}`, 1 + (seed % 100)));
      }),
    ),
  );

describe("fastcdc-1", () => {
  test("gives the cuts of the naive chunker, also through windows", () => {
    fc.assert(
      fc.property(content, fc.nat(), fc.nat(MiB), fc.nat(100), (bytes, key, slack, shift) => {
        const gear = seededTable(`gear ${key}`);
        const cuts = fastCuts(bytes, gear);
        expect(cuts).toEqual(naiveCuts(bytes, gear));
        expect(windowedCuts(bytes, gear, slack, shift)).toEqual(cuts);
      }),
      { numRuns: 12 },
    );
  });

  test("keeps to its lengths and cuts at about 1 MiB", () => {
    const bytes = seededBytes("long", 64 * MiB);
    const cuts = fastCuts(bytes, seededTable("long gear"));
    let start = 0;
    for (const cut of cuts.slice(0, -1)) {
      expect(cut - start).toBeGreaterThan(limits.chunkBytesMin);
      expect(cut - start).toBeLessThanOrEqual(limits.chunkBytesMax);
      start = cut;
    }
    expect(bytes.length / cuts.length).toBeGreaterThan(0.8 * MiB);
    expect(bytes.length / cuts.length).toBeLessThan(1.6 * MiB);
  });

  test("finds the same cuts again behind an insertion", () => {
    const bytes = seededBytes("edited", 24 * MiB);
    const gear = seededTable("edited gear");
    const edited = Buffer.concat([
      bytes.subarray(0, 3 * MiB),
      Buffer.from("inserted"),
      bytes.subarray(3 * MiB),
    ]);
    const before = new Set(fastCuts(bytes, gear));
    const moved = fastCuts(edited, gear).filter((cut) => !before.has(cut) && !before.has(cut - 8));
    expect(moved.length).toBeLessThan(6);
  });

  test.each([0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1])("a rest of %i bytes", (length) => {
    // a table of zeros cuts at the first place where it may
    const end = nextCut(new Uint8Array(length), 0, length, new Uint32Array(256));
    expect(end).toBe(Math.min(length, 256 * 1024 + 1));
  });
});

test.each([128 * 1024, MiB])("cuts at multiples of %i bytes of the file", (chunkBytes) => {
  expect(nextFixedCut(chunkBytes, 0, 0, 5 * MiB)).toBe(chunkBytes);
  expect(nextFixedCut(chunkBytes, MiB - 1, 10, 5 * MiB)).toBe(11);
  expect(nextFixedCut(chunkBytes, 2 ** 42 + 5, 100, 100 + 5 * MiB)).toBe(100 + chunkBytes - 5);
  expect(nextFixedCut(chunkBytes, 3 * MiB, 0, 77)).toBe(77);
});

describe("which chunker cuts a file", () => {
  const name = (text: string): Buffer => Buffer.from(text);

  test("auto-1: disk images by fixed-2, by name and from 16 MiB on, all else by fastcdc-1", () => {
    for (const image of ["disk.img", "a.b.QCOW2", "vm-flat.vmdk", ".raw", "\xff.vhdx"]) {
      expect(fixedChunkBytes("auto-1", name(image), 16 * MiB)).toBe(128 * 1024);
      expect(fixedChunkBytes("auto-1", name(image), 16 * MiB - 1)).toBeUndefined();
    }
    for (const other of ["disk.img.gz", "img", "disk.image", "a.iso", "vmdk", "disk.img "]) {
      expect(fixedChunkBytes("auto-1", name(other), 2 ** 40)).toBeUndefined();
    }
  });

  test("any other name is the chunker of every file", () => {
    expect(fixedChunkBytes("fastcdc-1", name("disk.img"), 2 ** 40)).toBeUndefined();
    expect(fixedChunkBytes("fixed-1", name("a"), MiB)).toBe(MiB);
    expect(fixedChunkBytes("fixed-2", name("a"), MiB)).toBe(128 * 1024);
  });
});

test("split is the polynomial of format.md, and sees the start of long names", () => {
  const table = seededTable("split");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (name) => {
      let h = 0n;
      for (const byte of name) h = (h * 2654435761n + BigInt(table[byte]!)) % 2n ** 32n;
      expect(splitHash(name, table)).toBe(Number(h));
    }),
  );
  const ending = "-with-an-ending-that-is-longer-than-thirty-two-bytes.tar.gz";
  const ends = Array.from({ length: 6400 }, (_, i) => splitHash(Buffer.from(`${i}${ending}`), table) >>> 26);
  const hits = ends.filter((top) => top === 0).length;
  expect(hits).toBeGreaterThan(50);
  expect(hits).toBeLessThan(200);
});

describe("bundles", () => {
  const file = fc.record({
    uid: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1000),
    size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 256 * 1024 })),
    name: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  });

  /** Bundles of files by looking at whole lists of them, the other way round than the planner. */
  function naiveBundles(
    files: readonly { uid: number; size: number; name: Uint8Array }[],
    table: Uint32Array,
  ) {
    const bundles: (typeof files)[] = [];
    const sum = (bundle: typeof files) => bundle.reduce((total, { size }) => total + size, 0);
    for (const one of files) {
      const open = bundles.at(-1);
      const last = open?.at(-1);
      const ended =
        open === undefined ||
        last === undefined ||
        last.uid !== one.uid ||
        open.length === 2048 ||
        sum(open) + one.size > MiB ||
        (sum(open) >= 512 * 1024 && splitHash(last.name, table) < 2 ** 30);
      if (ended) bundles.push([one]);
      else bundles[bundles.length - 1] = [...open, one];
    }
    return bundles;
  }

  test("are those of the rule", () => {
    fc.assert(
      fc.property(fc.array(file, { maxLength: 120 }), fc.nat(), (files, key) => {
        const table = seededTable(`bundle ${key}`);
        const planner = new BundlePlanner(table);
        const bundles: (typeof files)[] = [];
        for (const [i, one] of files.entries()) {
          const ended = planner.endsAfter();
          if (planner.add(one) === "startNew") bundles.push([]);
          else expect(ended).toBe(false);
          bundles.at(-1)!.push(files[i]!);
        }
        expect(bundles).toEqual(naiveBundles(files, table));
      }),
    );
  });

  test("end at 2,048 files", () => {
    const planner = new BundlePlanner(seededTable("count"));
    const one = { uid: 0, size: 1, name: Buffer.from("x") };
    const starts = Array.from({ length: 5000 }, () => planner.add(one)).flatMap((answer, i) =>
      answer === "startNew" ? [i] : [],
    );
    expect(starts).toEqual([0, 2048, 4096]);
  });

  test("take files of 1 byte to 256 KiB", () => {
    expect([0, 1, 256 * 1024, 256 * 1024 + 1].map(isBundled)).toEqual([false, true, true, false]);
    expect(() =>
      new BundlePlanner(seededTable("")).add({ uid: 0, size: 0, name: Buffer.from("x") }),
    ).toThrow();
  });
});
