import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DoomedClass, ManifestPageType, PackKind } from "../../../vault/magic.ts";
import {
  encodeManifestPage,
  noPackHash,
  type PackRow,
  parseManifestPage,
  type TopRow,
} from "../../../vault/replica/manifestPage.ts";
import { merkleOf, packHash } from "../../../vault/replica/treeHash.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededId } from "../seeded.ts";

const packs: PackRow[] = Array.from({ length: 5 }, (_, i) => ({
  name: seededId(`pack ${i}`),
  bytes: 33_000_000 + i,
  kind: i % 2 === 0 ? PackKind.data : PackKind.metadata,
}));
const top: TopRow[] = [
  { page: seededId("page 1"), type: 2, rows: 5, bytes: 264, packHash: packHash(packs) },
  { page: seededId("page 2"), type: 3, rows: 1, bytes: 72, packHash: noPackHash },
];
const rowsOf = {
  [ManifestPageType.top]: top,
  [ManifestPageType.packs]: packs,
  [ManifestPageType.snapshots]: [{ id: seededId("snapshot"), receivedMs: 1_700_000_000_000, bytes: 900 }],
  [ManifestPageType.segments]: [{ name: seededId("segment"), bytes: 5000, packs: 5 }],
  [ManifestPageType.doomed]: [{ name: seededId("old"), generation: 4, class: DoomedClass.manifestPage }],
} as const;

describe.each([1, 2, 3, 4, 5] as const)("page of type %i", (type) => {
  const bytes = encodeManifestPage(type, 9, rowsOf[type] as never);

  test("survives", () => {
    expect(parseManifestPage(type, bytes)).toEqual({ generation: 9, rows: rowsOf[type] });
    expect(parseManifestPage(type, encodeManifestPage(type, 1, [])).rows).toEqual([]);
  });

  test("is no page of another type, version or length", () => {
    const other = (((type as number) % 5) + 1) as 1;
    expect(outcome(() => parseManifestPage(other, bytes))).toBe("corrupt");
    expect(outcome(() => parseManifestPage(type, bytes.subarray(0, -1)))).toBe("truncated");
    expect(outcome(() => parseManifestPage(type, bytes.subarray(0, 20)))).toBe("truncated");
    expect(outcome(() => parseManifestPage(type, Buffer.concat([bytes, Buffer.alloc(1)])))).toBe("corrupt");
    const newer = Buffer.from(bytes);
    newer[4] = 2;
    expect(outcome(() => parseManifestPage(type, newer))).toBe("unsupported");
    const many = Buffer.from(bytes);
    many.writeUInt32LE(0xffff_ffff, 16);
    expect(outcome(() => parseManifestPage(type, many))).toBe("limit-exceeded");
  });

  test("fuzz: any bytes are read, as what they are, or refused", () => {
    fc.assert(
      fc.property(mutated(bytes), (other) => {
        let again: Buffer | undefined;
        outcome(() => {
          const { generation, rows } = parseManifestPage(type, other);
          again = encodeManifestPage(type, generation, rows);
        });
        if (again !== undefined) expect(again).toEqual(other);
      }),
    );
  });
});

test.each<[string, 1 | 2 | 3 | 4 | 5, number, number]>([
  ["type of a page", 1, 32, 1],
  ["type of a page", 1, 32, 6],
  ["reserved byte", 1, 35, 1],
  ["rows of a page", 1, 40, 0],
  ["length of a page", 1, 44, 0],
  ["order of pages", 1, 32, 4],
  ["kind of a pack", 2, 40, 3],
  ["length of a pack", 2, 36, 1],
  ["length of a snapshot", 3, 42, 255],
  ["time", 3, 39, 255],
  ["packs of a segment", 4, 40, 0],
  ["length of a segment", 4, 36, 1],
  ["class", 5, 40, 6],
  ["generation", 5, 32, 0],
  ["reserved byte", 5, 41, 1],
])("refuses a bad %s in type %i", (_, type, at, value) => {
  const bytes = encodeManifestPage(type, 9, rowsOf[type] as never);
  bytes[24 + at] = value;
  expect(outcome(() => parseManifestPage(type, bytes))).toBe("corrupt");
});

test("a pack hash stands only beside packs, and no row is written that could not be read", () => {
  const bytes = encodeManifestPage(1, 9, [top[1]!]);
  bytes[24 + 50] = 1;
  expect(outcome(() => parseManifestPage(1, bytes))).toBe("corrupt");
  expect(outcome(() => encodeManifestPage(1, 9, [{ ...top[1]!, packHash: seededId("any") }]))).toBe(
    "corrupt",
  );
  expect(outcome(() => encodeManifestPage(2, 9, [{ ...packs[0]!, bytes: 5 }]))).toBe("corrupt");
});

describe("tree hash", () => {
  const sha = (...parts: Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
  /** As the page of the format says it, slowly. */
  const slow = (leaves: readonly Buffer[]): Buffer => {
    if (leaves.length === 0) return sha();
    if (leaves.length === 1) return leaves[0]!;
    let left = 1;
    while (left * 2 < leaves.length) left *= 2;
    return sha(Buffer.of(1), slow(leaves.slice(0, left)), slow(leaves.slice(left)));
  };
  const length = (bytes: number): Buffer => {
    const u64 = Buffer.alloc(8);
    u64.writeUInt32LE(bytes);
    return u64;
  };

  test.each(Array.from({ length: 20 }, (_, i) => i))("of %i leaves", (count) => {
    const rows = Array.from({ length: count }, (_, i) => ({ name: seededId(`p ${i}`), bytes: 1000 + i }));
    const leaves = rows.map(({ name, bytes }) => sha(Buffer.of(0), name, length(bytes), name));
    expect(packHash(rows)).toEqual(slow(leaves));
    const pages = rows.map(({ name }) => name);
    expect(merkleOf(pages)).toEqual(slow(pages.map((hash) => sha(Buffer.of(2), hash))));
  });
});
