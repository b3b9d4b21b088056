// Listings of small directories, made of what getdents64 writes, against those of the other kind.

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { addDirents, listDirents, smallBytesMax } from "../../../agent/platform/direntListing.ts";
import { createLinuxPlatform } from "../../../agent/platform/linux.ts";
import { type Listing, ListingBuilder, nameAt } from "../../../agent/platform/listing.ts";
import { StatTable } from "../../../agent/platform/statTable.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-dirents-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Row = { readonly name: Uint8Array; readonly kind: number };

/** What the kernel writes: behind the NUL of a name is what stood there before. */
function dirents(rows: readonly Row[], before: number): Buffer {
  const entries = rows.map(({ name, kind }) => {
    const entry = Buffer.alloc(Math.ceil((19 + name.length + 1) / 8) * 8, before);
    entry.writeUInt16LE(entry.length, 16);
    entry[18] = kind;
    entry.set(name, 19);
    entry[19 + name.length] = 0;
    return entry;
  });
  return Buffer.concat(entries);
}

const shown = (listing: Listing): unknown =>
  Array.from({ length: listing.count }, (_, index) => {
    const name = nameAt(listing, index);
    const end = (listing.offsets[index] as number) + name.length;
    return [name.toString("latin1"), listing.kinds[index], listing.names[end]];
  });

const name = fc.oneof(
  fc.array(fc.constantFrom(0x2e, 0x61, 0xff), { minLength: 1, maxLength: 4 }),
  fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 255 }),
);
const row = fc.record({ name: name.map((bytes) => Uint8Array.from(bytes)), kind: fc.nat(12) });

describe("the listing of a small directory", () => {
  test("is that of its entries one by one, without . and .. and what is given twice, and stays as it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(row, { maxLength: 60 }), { maxLength: 8 }),
        fc.nat(255),
        (folders, before) => {
          const made = folders.map((rows) => {
            const bytes = dirents(rows, before);
            const builder = new ListingBuilder();
            addDirents(builder, bytes, bytes.length);
            const small = listDirents(bytes, bytes.length);
            bytes.fill(0x55); // the next directory is read to the same place
            return { small, expected: shown(builder.finish()) as readonly [string][] };
          });
          for (const { small, expected } of made) {
            expect(shown(small)).toEqual(expected);
            expect(expected.some(([text]) => text === "." || text === "..")).toBe(false);
          }
        },
      ),
    );
  });

  test("of real directories around the size up to which they are small, asked twice, with the attributes of their files", () => {
    const platform = createLinuxPlatform();
    for (const count of [0, 1, 23, 24, 25, 300, 500, 600, 2000]) {
      const folder = join(scratch, `${count}`);
      mkdirSync(folder);
      const names = Array.from(
        { length: count },
        (_, index) => `${(index * 7919) % 2003}-${"x".repeat(index % 13)}`,
      );
      for (const [index, each] of names.entries()) writeFileSync(join(folder, each), "y".repeat(index % 50));
      const handle = platform.openDirectory(Buffer.from(folder));
      const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const table = new StatTable(Math.max(1, count));
      for (let time = 0; time < 2; time++) {
        const listing = platform.list(handle);
        expect(
          Array.from({ length: listing.count }, (_, index) => nameAt(listing, index).toString()),
        ).toEqual(sorted);
        platform.statListed(handle, listing, 0, count, table);
        const sizes = sorted.map((each) => names.indexOf(each) % 50);
        expect(sizes.map((_, index) => table.size(index))).toEqual(sizes);
      }
      platform.close(handle);
    }
    expect(600 * 24).toBeLessThan(smallBytesMax); // so both kinds were among them
    expect(2000 * 24).toBeGreaterThan(smallBytesMax);
  });

  test("a folder that is no name is refused before it is opened, also by one call", () => {
    const platform = createLinuxPlatform();
    const handle = platform.openDirectory(Buffer.from(scratch));
    for (const bad of ["", ".", "..", "a\0b"])
      expect(() => platform.openDirectoryAt(handle, Buffer.from(bad))).toThrow(/EINVAL|invalid/i);
    closeSync(openSync(join(scratch, "file"), "w"));
    expect(() => platform.openDirectoryAt(handle, Buffer.from("file"))).toThrow(/ENOTDIR|not a/i);
    platform.close(handle);
  });
});
