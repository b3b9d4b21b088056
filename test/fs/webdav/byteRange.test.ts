import fc from "fast-check";
import { expect, test } from "vitest";
import { parseByteRange } from "../../../fs/webdav/byteRange.ts";

test.each([
  ["bytes=0-0", 10, { first: 0, last: 0 }],
  ["bytes=2-", 10, { first: 2, last: 9 }],
  ["bytes=2-99", 10, { first: 2, last: 9 }],
  ["bytes=-3", 10, { first: 7, last: 9 }],
  ["bytes=-99", 10, { first: 0, last: 9 }],
  [" Bytes = 1 - 2 ", 10, { first: 1, last: 2 }],
  ["bytes=1 2-3", 10, undefined],
  [`bytes=${" ".repeat(16_000)}`, 10, undefined],
  ["bytes=10-", 10, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-0", 10, "unsatisfiable"],
  ["bytes=-5", 0, "unsatisfiable"],
  ["bytes=99999999999999999999999-", 10, "unsatisfiable"],
  ["bytes=5-2", 10, undefined],
  ["bytes=0-1,3-4", 10, undefined],
  ["bytes=-", 10, undefined],
  ["bytes=a-b", 10, undefined],
  ["lines=1-2", 10, undefined],
  ["", 10, undefined],
] as const)("%s of %d", (header, size, range) => {
  expect(parseByteRange(header, size)).toEqual(range);
});

test("whatever the header, a range lies inside the file", () => {
  const number = fc.oneof(fc.constant(""), fc.nat().map(String), fc.bigInt({ min: 0n }).map(String));
  const header = fc.oneof(
    fc.tuple(number, number).map(([from, to]) => `bytes=${from}-${to}`),
    fc.string({ unit: "binary-ascii" }).map((text) => `bytes=${text}`),
    fc.string({ unit: "binary-ascii" }),
  );
  fc.assert(
    fc.property(header, fc.oneof(fc.nat(), fc.constant(2 ** 53 - 1)), (text, size) => {
      const range = parseByteRange(text, size);
      if (range === undefined || range === "unsatisfiable") return;
      expect(range.first).toBeGreaterThanOrEqual(0);
      expect(range.last).toBeGreaterThanOrEqual(range.first);
      expect(range.last).toBeLessThan(size);
      expect(Number.isSafeInteger(range.first) && Number.isSafeInteger(range.last)).toBe(true);
    }),
  );
});
