// The compact listing against a plain sort, and its cost for a very large directory.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { indexOfName, ListingBuilder, nameAt } from "../../../agent/platform/listing.ts";
import type { EntryKind } from "../../../agent/platform/statTable.ts";

function build(names: readonly Uint8Array[]) {
  const builder = new ListingBuilder();
  for (const name of names) builder.add(name, 0, name.length, ((name[0] as number) % 13) as EntryKind);
  return builder.finish();
}

const anyByte = fc.integer({ min: 1, max: 255 });
const fewBytes = fc.constantFrom(0x61, 0x62, 0xff);
const name = fc.oneof(
  fc.array(fewBytes, { minLength: 1, maxLength: 8 }),
  fc.array(anyByte, { minLength: 1, maxLength: 255 }),
);

describe("listing", () => {
  test("is what a plain sort of the distinct names gives", () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 300 }), (rows) => {
        const names = rows.map((row) => Buffer.from(row));
        const listing = build(names);
        const expected = names
          .toSorted(Buffer.compare)
          .filter((row, index, sorted) => index === 0 || !row.equals(sorted[index - 1] as Buffer));
        expect(listing.count).toBe(expected.length);
        expected.forEach((row, index) => {
          expect(nameAt(listing, index).equals(row)).toBe(true);
          expect(listing.kinds[index]).toBe((row[0] as number) % 13);
          expect(indexOfName(listing, row)).toBe(index);
          expect(listing.names[(listing.offsets[index] as number) + row.length]).toBe(0);
        });
      }),
    );
  });

  test("holds 300,000 names with a long common prefix in under 100 bytes each beyond the names", () => {
    const count = 300_000;
    const names = Array.from({ length: count }, (_, index) =>
      Buffer.from(`a-common-prefix-of-some-length-${(index * 7919) % count}`),
    );
    const listing = build(names);
    expect(listing.count).toBe(count);
    const namesBytes = names.reduce((sum, row) => sum + row.length, 0);
    const held = [listing.names, listing.offsets, listing.lengths, listing.kinds].reduce(
      (sum, part) => sum + part.buffer.byteLength,
      0,
    );
    expect((held - namesBytes) / count).toBeLessThan(10);
    for (let index = 1; index < count; index += 997) {
      expect(Buffer.compare(nameAt(listing, index - 1), nameAt(listing, index))).toBe(-1);
    }
  });

  test("an empty directory", () => {
    expect(build([]).count).toBe(0);
    expect(indexOfName(build([]), Buffer.from("a"))).toBe(-1);
  });
});
