// Range headers: what RFC 9110, section 14 says of one range, and nothing but an answer for anything else.

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRange } from "../../gateway/api/range.ts";

test.each([
  ["bytes=0-0", 100, { first: 0, last: 0 }],
  ["bytes=5-9", 100, { first: 5, last: 9 }],
  ["bytes=90-", 100, { first: 90, last: 99 }],
  ["bytes=90-200", 100, { first: 90, last: 99 }],
  ["bytes=-10", 100, { first: 90, last: 99 }],
  ["bytes=-200", 100, { first: 0, last: 99 }],
  ["bytes=99-", 100, { first: 99, last: 99 }],
  ["bytes=100-", 100, "unsatisfiable"],
  ["bytes=100-200", 100, "unsatisfiable"],
  ["bytes=-0", 100, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-5", 0, "unsatisfiable"],
  ["bytes=9-5", 100, undefined],
  ["bytes=-", 100, undefined],
  ["bytes=0-1,5-6", 100, undefined],
  ["items=0-1", 100, undefined],
  ["bytes=+1-2", 100, undefined],
  ["bytes=0x1-2", 100, undefined],
  ["bytes=1-2\n", 100, undefined],
  [`bytes=0-${"9".repeat(15)}`, 100, { first: 0, last: 99 }],
  [`bytes=0-${"9".repeat(400)}`, 100, undefined],
  ["", 100, undefined],
  [undefined, 100, undefined],
])("%j of %i bytes", (header, size, expected) => {
  expect(parseRange(header, size)).toEqual(expected);
});

test("fuzz: a range lies within the resource, or there is none", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.nat().map(String),
    fc.bigInt({ min: 0n }).map(String),
  );
  const header = fc.oneof(
    fc.string(),
    fc
      .array(fc.oneof(word, fc.constantFrom("-", ",", "bytes=", " ")), { maxLength: 6 })
      .map((all) => all.join("")),
    fc.tuple(word, word).map(([first, last]) => `bytes=${first}-${last}`),
  );
  fc.assert(
    fc.property(header, fc.oneof(fc.nat(300), fc.maxSafeNat()), (text, size) => {
      const range = parseRange(text, size);
      if (range === undefined || range === "unsatisfiable") return;
      expect(0 <= range.first && range.first <= range.last && range.last < size).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
