// Tails of packs: what they say of records, and that no altered one is taken.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PackTail, PackTails, readTailOf, tailPath } from "../../../gateway/store/packTails.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { PackKind, RecordType, Width } from "../../../vault/magic.ts";
import { encodeFooter } from "../../../vault/pack/footer.ts";
import { encodePackHeader } from "../../../vault/pack/packHeader.ts";
import { encodeTrailer, type TrailerRow } from "../../../vault/pack/trailer.ts";
import { randomFrom } from "../../fidelity/random.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-tails-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A pack's tail with records of these lengths and gaps before them. */
function sample(records: readonly { readonly gap: number; readonly length: number }[]) {
  const nonce = randomBytes(16);
  const rows: TrailerRow[] = [];
  let at: number = Width.packHeader;
  for (const { gap, length } of records) {
    const offset = at + gap + Width.frame;
    const row = { id: randomBytes(32), offset, length, group: 1, writer: Buffer.alloc(16, 1) };
    rows.push({ ...row, type: RecordType.data, hash16: randomBytes(16) });
    at = offset + length;
  }
  const trailer = encodeTrailer(rows);
  const footer = encodeFooter({ kind: PackKind.data, nonce, trailerOffset: at, trailer });
  const bytes = Buffer.concat([encodePackHeader({ kind: PackKind.data, nonce }), trailer, footer]);
  const pack = { name: randomBytes(32), nonce, bytes: at + trailer.length + footer.length };
  return { bytes, pack, rows, trailerAt: at };
}

test("says of each place which record is there or comes next", () => {
  const { bytes, pack, rows } = sample([
    { gap: 0, length: 200 },
    { gap: 0, length: 5000 },
    { gap: 1000, length: 300 },
  ]);
  const tail = new PackTail(bytes, pack);
  for (const { offset, length, hash16 } of rows) {
    expect(tail.recordAt(offset)).toEqual({ offset, length, hash16 });
    for (const at of [offset - Width.frame, offset, offset + length - 1])
      expect(tail.recordFrom(at)?.offset).toBe(offset);
    expect(tail.recordAt(offset + 1)).toBeUndefined();
  }
  expect(tail.recordFrom(rows[2]!.offset - 500)?.offset, "in the gap").toBe(rows[2]!.offset);
  expect(tail.recordFrom(rows[2]!.offset + 300)).toBeUndefined();
  const none = sample([]);
  expect(new PackTail(none.bytes, none.pack).recordFrom(0)).toBeUndefined();
});

test("is read from a pack by three ranges", async () => {
  const { bytes, pack, trailerAt } = sample([{ gap: 0, length: 200 }]);
  const whole = Buffer.concat([
    bytes.subarray(0, Width.packHeader),
    Buffer.alloc(trailerAt - Width.packHeader),
    bytes.subarray(Width.packHeader),
  ]);
  const read = async (offset: number, length: number) => whole.subarray(offset, offset + length);
  expect((await readTailOf(pack, read)).equals(bytes)).toBe(true);
});

test("an altered, cut or foreign tail is refused with a typed error, and taken anew", async () => {
  console.log(`HOLDFAST_SEED=${seed}`);
  const random = randomFrom(seed);
  const { bytes, pack } = sample(Array.from({ length: 20 }, () => ({ gap: 0, length: 150 })));
  const other = sample([{ gap: 0, length: 150 }]);
  const tails = new PackTails(scratch);
  await tails.save(pack, bytes);
  const path = tailPath(scratch, pack.name);
  for (let i = 0; i < 200; i++) {
    const bad = Buffer.from(bytes);
    if (i % 4 === 0) truncateSync(path, random.below(bytes.length));
    else if (i % 4 === 1) writeFileSync(path, Buffer.concat([bytes, random.bytes(1 + random.below(100))]));
    else if (i % 4 === 2) writeFileSync(path, random.bytes(random.below(2000)));
    else {
      // The two reserved words of header and footer, and their checksums, are checked too: no byte is free.
      bad[random.below(bad.length)]! ^= 1 + random.below(255);
      writeFileSync(path, bad);
      expect(() => new PackTail(bad, pack)).toThrow(expect.toSatisfy((error) => isHoldfastError(error)));
    }
    expect(await tails.has(pack)).toBe(false);
    const taken = await new PackTails(scratch).get(pack, async () => bytes);
    expect(taken.bytes.equals(bytes)).toBe(true);
    expect(await tails.has(pack), "it was kept").toBe(true);
  }
  expect(() => new PackTail(other.bytes, pack)).toThrow();
  await expect(tails.save(pack, other.bytes)).rejects.toSatisfy((error) => isHoldfastError(error));
  expect(await tails.has(pack)).toBe(true);
});
