import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../../vault/limits.ts";
import {
  encodeIndexSegment,
  openSegmentPack,
  parseIndexSegment,
  segmentEntryBytes,
} from "../../../vault/replica/indexSegment.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { segmentPack } from "./sampleReplica.ts";

const packs = [segmentPack("one", 3), segmentPack("two", 0), segmentPack("three", 20)];
const bytes = encodeIndexSegment(packs);

test("survives, and says what is where", () => {
  const again = parseIndexSegment(bytes);
  expect(again).toEqual(packs);
  expect(bytes.length).toBe(16 + packs.reduce((sum, pack) => sum + segmentEntryBytes(pack), 0));
  expect(again.map((pack) => openSegmentPack(pack).rows.length)).toEqual([3, 0, 20]);
  expect(parseIndexSegment(encodeIndexSegment([]))).toEqual([]);
});

test("takes the trailer of the largest pack, and no more packs than its limit", () => {
  expect(parseIndexSegment(encodeIndexSegment([segmentPack("large", 40_000)]))).toHaveLength(1);
  const many = new Array(limits.segmentPacksMax + 1).fill(packs[1]);
  expect(() => encodeIndexSegment(many)).toThrow(RangeError);
});

test.each<[string, number, number, string]>([
  ["magic", 0, 0, "corrupt"],
  ["version", 4, 2, "unsupported"],
  ["reserved byte", 5, 1, "corrupt"],
  ["count that is too high", 8, 4, "truncated"],
  ["count that is too low", 8, 2, "corrupt"],
  ["count over the limit", 11, 255, "limit-exceeded"],
  ["reserved byte", 12, 1, "corrupt"],
  ["length of a pack", 16 + 36, 1, "corrupt"],
  ["length of a tail", 16 + 43, 255, "truncated"],
  ["length of a tail", 16 + 41, 255, "truncated"],
  ["reserved byte of a pack", 16 + 44, 1, "corrupt"],
])("refuses a bad %s", (_, at, value, code) => {
  const other = Buffer.from(bytes);
  other[at] = value;
  expect(outcome(() => parseIndexSegment(other))).toBe(code);
});

test("header and tail of different packs are refused", () => {
  const mixed = { ...packs[0]!, header: packs[2]!.header };
  expect(outcome(() => openSegmentPack(mixed))).toBe("corrupt");
  expect(outcome(() => openSegmentPack({ ...packs[0]!, bytes: packs[0]!.bytes + 1 }))).toBe("corrupt");
});

test("fuzz: any bytes are read, as what they are, or refused", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      let again: Buffer | undefined;
      outcome(() => {
        const found = parseIndexSegment(other);
        again = encodeIndexSegment(found);
        for (const pack of found) outcome(() => openSegmentPack(pack));
      });
      if (again !== undefined) expect(again).toEqual(other);
    }),
  );
});
