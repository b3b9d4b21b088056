import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PackKind, RecordType } from "../../vault/magic.ts";
import { encodeFooter } from "../../vault/pack/footer.ts";
import { encodeFrame } from "../../vault/pack/frame.ts";
import { encodePackHeader } from "../../vault/pack/packHeader.ts";
import { type PackReader, type RecoverOptions, recoverFrames } from "../../vault/pack/recover.ts";
import { encodeTrailer, type TrailerRow } from "../../vault/pack/trailer.ts";
import { seededBytes, seededId } from "./seeded.ts";

const nonce = seededBytes("pack nonce", 16);
const writer = seededBytes("writer", 16);

/** Bytes of a record as far as a keyless reader can tell. */
function record(label: string, body: Uint8Array, refs = 0): Buffer {
  const header = Buffer.alloc(72);
  header.write("HFr1", "latin1");
  header[4] = 1;
  header[5] = refs > 0 ? RecordType.directory : RecordType.data;
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(body.length, 12);
  header.writeUInt32LE(refs, 16);
  seededId(label).copy(header, 24);
  return Buffer.concat([header, seededBytes(`refs ${label}`, refs * 32), body, seededBytes(label, 16)]);
}

function hash16(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest().subarray(0, 16);
}

function framed(bytes: Buffer, packNonce: Uint8Array = nonce): Buffer {
  const fields = { recordLength: bytes.length, group: 3, writer, recordHash: hash16(bytes) };
  return Buffer.concat([encodeFrame({ nonce: packNonce, ...fields }), bytes]);
}

/** A pack of these records, with trailer and footer when closed, and where the frames stand. */
function pack(records: readonly Buffer[], closed = false): { bytes: Buffer; frames: number[] } {
  const parts = [encodePackHeader({ kind: PackKind.data, nonce })];
  const frames: number[] = [];
  const rows: TrailerRow[] = [];
  let at = 32;
  for (const one of records) {
    frames.push(at);
    parts.push(framed(one));
    const id = one.subarray(24, 56);
    rows.push({ id, offset: at + 64, length: one.length, group: 3, writer, type: 1, hash16: hash16(one) });
    at += 64 + one.length;
  }
  if (closed) {
    const trailer = encodeTrailer(rows);
    parts.push(trailer, encodeFooter({ kind: PackKind.data, nonce, trailerOffset: at, trailer }));
  }
  return { bytes: Buffer.concat(parts), frames };
}

/** Reads a buffer as recovery reads a file, and keeps it to pieces of 1 MiB inside the file. */
function reader(bytes: Buffer): PackReader & { total: number } {
  return {
    size: bytes.length,
    total: 0,
    read(offset, length) {
      if (offset < 0 || length > 1024 * 1024 || offset + length > bytes.length) {
        throw new Error(`read of ${length} bytes at ${offset}`);
      }
      this.total += length;
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Offsets of the frames that recovery finds. */
function found(bytes: Buffer, options?: RecoverOptions): number[] {
  return [...recoverFrames(reader(bytes), options)].map(({ recordOffset }) => recordOffset - 64);
}

/** Records of all sizes; some carry frames under a nonce of their own. */
const records = fc
  .array(
    fc.record({
      length: fc.oneof(fc.integer({ min: 4, max: 3000 }), fc.integer({ min: 4, max: 2_500_000 })),
      refs: fc.constantFrom(0, 0, 1, 2048),
      hostile: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((list) =>
    list.map(({ length, refs, hostile }, i) => {
      const fake = framed(record(`fake ${i}`, seededBytes("inner", 100)), seededBytes("hostile nonce", 16));
      const plain = seededBytes(`body ${i}`, length);
      return record(
        `record ${i}`,
        hostile ? Buffer.concat([plain.subarray(0, length / 2), fake, fake, plain]) : plain,
        refs,
      );
    }),
  );

test("an open pack gives all its records, with what frame and header say", () => {
  fc.assert(
    fc.property(records, fc.boolean(), (list, closed) => {
      const { bytes, frames } = pack(list, closed);
      const results = [...recoverFrames(reader(bytes))];
      expect(results.map(({ recordOffset }) => recordOffset - 64)).toEqual(frames);
      for (const [i, { frame, header, hash16: hash }] of results.entries()) {
        expect(header.recordLength).toBe(list[i]!.length);
        expect(header.id).toEqual(list[i]!.subarray(24, 56));
        expect(frame).toMatchObject({ group: 3, recordLength: list[i]!.length });
        expect(frame.writer.equals(writer) && hash.equals(hash16(list[i]!))).toBe(true);
      }
    }),
    { numRuns: 25 },
  );
});

test("whatever is damaged or cut off, every whole record is found and nothing else", () => {
  const holes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 5000 }), fc.nat(255)), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(records, fc.boolean(), holes, fc.option(fc.nat()), (list, closed, damage, cut) => {
      const whole = pack(list, closed);
      const bytes = Buffer.from(
        cut === null ? whole.bytes : whole.bytes.subarray(0, cut % whole.bytes.length),
      );
      for (const [at, length, value] of damage) {
        const from = at % (bytes.length + 1);
        bytes.fill(value, from, Math.min(from + length, bytes.length));
      }
      const intact = whole.frames.filter((frame, i) => {
        const end = frame + 64 + list[i]!.length;
        return end <= bytes.length && bytes.subarray(frame, end).equals(whole.bytes.subarray(frame, end));
      });
      expect(found(bytes, { nonce })).toEqual(intact);
      const header = bytes.subarray(0, 32).equals(whole.bytes.subarray(0, 32));
      if (header) expect(found(bytes)).toEqual(intact);
    }),
    { numRuns: 60 },
  );
});

describe("without a header", () => {
  const small = Array.from({ length: 12 }, (_, i) => record(`${i}`, seededBytes(`${i}`, 500 + 40 * i)));
  const hostileNonce = seededBytes("hostile nonce", 16);
  const fakes = Array.from({ length: 40 }, (_, i) =>
    framed(record(`fake ${i}`, seededBytes("x", 200)), hostileNonce),
  );
  const hostile = record("hostile", Buffer.concat(fakes));

  test("the nonce is found in the frames", () => {
    const { bytes, frames } = pack(small);
    expect(found(bytes.fill(0, 0, 32))).toEqual(frames);
  });

  test("the footer states it too", () => {
    const { bytes, frames } = pack([hostile, small[0]!], true);
    // header, first frame and the start of the first record are gone: most bytes of frames are the liar's
    expect(found(bytes.fill(0, 0, 200))).toEqual(frames.slice(1));
  });

  test("frames inside a record are passed over with it", () => {
    const { bytes, frames } = pack([hostile, small[0]!]);
    expect(found(bytes.fill(0xff, 0, 32))).toEqual(frames);
  });

  test("frames inside a damaged record lose the vote", () => {
    const { bytes, frames } = pack([hostile, ...small, ...small, ...small]);
    expect(found(bytes.fill(0xff, 0, 200))).toEqual(frames.slice(1));
  });

  test("hostile frames that promise 4 MiB each cost no more than a few passes", () => {
    const lie = encodeFrame({
      nonce: hostileNonce,
      recordLength: 4_000_092,
      group: 0,
      writer,
      recordHash: Buffer.alloc(16),
    });
    // frames that stand where a record header of that length stands too: each is hashed before it is refused
    const inner = record("lie", Buffer.alloc(4_000_004)).subarray(0, 72);
    const body = Buffer.alloc(4_190_000);
    for (let at = 0; at < 150_000; at += 136) Buffer.concat([lie, inner]).copy(body, at);
    const { bytes } = pack([record("liar", body), small[0]!]);
    const counting = reader(bytes.fill(0, 0, 200));
    expect([...recoverFrames(counting)].length).toBeLessThanOrEqual(1);
    expect(counting.total).toBeLessThan(40 * bytes.length);
  });
});

test("from where the caller knows the rest", () => {
  const { bytes, frames } = pack(Array.from({ length: 5 }, (_, i) => record(`${i}`, seededBytes("x", 99))));
  expect(found(bytes, { from: frames[3]! })).toEqual(frames.slice(3));
  expect(found(bytes, { from: bytes.length })).toEqual([]);
});

test.each([0, 1, 31, 32, 95, 96])("a file of %i bytes gives nothing", (length) => {
  const { bytes } = pack([record("one", seededBytes("x", 99))]);
  expect(found(bytes.subarray(0, length))).toEqual([]);
});

test("a frame under the right nonce whose record does not parse is passed over", () => {
  const first = record("first", seededBytes("x", 99));
  const broken = record("broken", seededBytes("y", 99));
  broken[5] = 77;
  const last = record("last", seededBytes("z", 99));
  const { bytes, frames } = pack([first, broken, last]);
  expect(found(bytes)).toEqual([frames[0], frames[2]]);
});

test("fuzz: any bytes end, and throw nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (bytes, withHeader) => {
      const header = withHeader ? encodePackHeader({ kind: PackKind.metadata, nonce }) : Buffer.alloc(0);
      expect(found(Buffer.concat([header, bytes]))).toEqual([]);
    }),
  );
});
