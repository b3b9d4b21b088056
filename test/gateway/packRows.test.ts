import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { PackRows } from "../../gateway/store/packRows.ts";
import { RecordType } from "../../vault/magic.ts";
import { encodeTrailer, type TrailerRow } from "../../vault/pack/trailer.ts";

/** Rows whose bytes are views of one large piece of memory each, as they come from reading. */
function rowsIn(count: number): TrailerRow[] {
  const writers = [randomBytes(16), randomBytes(16), randomBytes(16)];
  return Array.from({ length: count }, (_, at) => {
    const read = randomBytes(4096);
    return {
      id: read.subarray(100, 132),
      hash16: read.subarray(200, 216),
      writer: Buffer.concat([Buffer.alloc(1000), writers[at % 3] as Buffer]).subarray(1000),
      offset: 1000 + at * 400,
      length: 300,
      group: 2 ** 32 - 1 - at,
      type: at % 2 === 0 ? RecordType.data : RecordType.directory,
    };
  });
}

test("rows of an open pack come back as they were, however many", () => {
  for (const count of [0, 1, 64, 65, 1000]) {
    const given = rowsIn(count);
    const rows = new PackRows();
    for (const row of given) rows.push(row);
    expect(rows.length).toBe(count);
    expect([...rows]).toEqual(given);
    expect(encodeTrailer([...rows])).toEqual(encodeTrailer(given));
  }
});

test("rows of an open pack hold on to nothing that they were read from", () => {
  const rows = new PackRows();
  for (const row of rowsIn(1000)) rows.push(row);
  const memory = new Set(
    [...rows].flatMap(({ id, hash16, writer }) => [id.buffer, hash16.buffer, writer.buffer]),
  );
  const bytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(bytes).toBe(1024 * 64 + 3 * 16);
});
