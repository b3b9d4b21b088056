import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../vault/limits.ts";
import { PackKind, RecordType } from "../../vault/magic.ts";
import { encodeFooter, openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { encodeFrame, parseFrame } from "../../vault/pack/frame.ts";
import { encodePackHeader, parsePackHeader } from "../../vault/pack/packHeader.ts";
import { encodeTrailer, parseTrailer, type TrailerRow } from "../../vault/pack/trailer.ts";
import { codeOf } from "./drafts.ts";
import { seededId } from "./seeded.ts";

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const kind = fc.constantFrom(PackKind.data, PackKind.metadata);
const u32 = fc.nat(0xffff_ffff);

/** Rows of a pack, with gaps now and then. */
const rows: fc.Arbitrary<TrailerRow[]> = fc
  .array(
    fc.record({
      gap: fc.constantFrom(0, 0, 0, 1, 1000),
      length: fc.integer({ min: 92, max: 5000 }),
      group: u32,
      writer: fc.nat(3),
      type: fc.constantFrom(...Object.values(RecordType)),
      seed: fc.nat(),
    }),
    { maxLength: 50 },
  )
  .map((list) => {
    let at = 32;
    return list.map(({ gap, length, group, writer, type, seed }) => {
      const offset = at + gap + 64;
      at = offset + length;
      const id = seededId(`${seed}`);
      const hash16 = id.subarray(0, 16);
      return {
        id,
        offset,
        length,
        group,
        writer: seededId(`writer ${writer}`).subarray(0, 16),
        type,
        hash16,
      };
    });
  });

/** Damage: bytes set to values, and perhaps a cut. */
const damage = fc.record({
  flips: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
  cut: fc.option(fc.nat()),
});

function damaged(bytes: Buffer, { flips, cut }: { flips: [number, number][]; cut: number | null }): Buffer {
  const copy = Buffer.from(cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1)));
  for (const [at, value] of flips) if (copy.length > 0) copy[at % copy.length] = value;
  return copy;
}

const refusal = /^(corrupt|truncated|unsupported)$/;

describe("pack header", () => {
  test("comes back, and any change is noticed", () => {
    fc.assert(
      fc.property(kind, bytes16, damage, (packKind, nonce, harm) => {
        const bytes = encodePackHeader({ kind: packKind, nonce });
        expect(bytes.length).toBe(32);
        expect(parsePackHeader(bytes)).toEqual({ kind: packKind, nonce });
        const broken = damaged(bytes, harm);
        if (!broken.equals(bytes)) expect(codeOf(() => parsePackHeader(broken))).toMatch(refusal);
      }),
    );
  });
});

describe("frame", () => {
  const frame = fc.record({
    nonce: bytes16,
    recordLength: fc.integer({ min: 92, max: limits.recordBytesMax }),
    group: u32,
    writer: bytes16,
    recordHash: bytes16,
  });

  test("comes back, and any change is noticed", () => {
    fc.assert(
      fc.property(frame, bytes16, damage, (fields, other, harm) => {
        const bytes = encodeFrame(fields);
        expect(bytes.length).toBe(64);
        expect(parseFrame(bytes)).toEqual(fields);
        expect(parseFrame(bytes, fields.nonce)).toEqual(fields);
        if (!other.equals(fields.nonce)) expect(parseFrame(bytes, other)).toBeUndefined();
        const broken = damaged(bytes, harm);
        if (!broken.equals(bytes)) expect(parseFrame(broken)).toBeUndefined();
      }),
    );
  });

  test("has a length that a record can have", () => {
    const fields = {
      nonce: Buffer.alloc(16),
      group: 0,
      writer: Buffer.alloc(16),
      recordHash: Buffer.alloc(16),
    };
    for (const recordLength of [91, limits.recordBytesMax + 1]) {
      expect(() => encodeFrame({ ...fields, recordLength })).toThrow(RangeError);
    }
  });
});

describe("trailer and footer", () => {
  test("come back", () => {
    fc.assert(
      fc.property(rows, kind, bytes16, (list, packKind, nonce) => {
        const trailer = encodeTrailer(list);
        expect(parseTrailer(trailer)).toEqual(list);
        const last = list.at(-1);
        const trailerOffset = last === undefined ? 32 : last.offset + last.length;
        const bytes = encodeFooter({ kind: packKind, nonce, trailerOffset, trailer });
        expect(bytes.length).toBe(72);
        const footer = parseFooter(bytes, trailerOffset + trailer.length + 72);
        expect(footer).toEqual({
          kind: packKind,
          nonce,
          trailerOffset,
          trailerLength: trailer.length,
          trailerHash: createHash("sha256").update(trailer).digest(),
        });
        expect(openTrailer(footer, trailer)).toEqual(list);
      }),
    );
  });

  test("fuzz: damage gives HoldfastErrors only, and is always noticed through the footer", () => {
    fc.assert(
      fc.property(rows, damage, (list, harm) => {
        const trailer = encodeTrailer(list);
        const trailerOffset = 10_000_000;
        const bytes = encodeFooter({ kind: 1, nonce: Buffer.alloc(16), trailerOffset, trailer });
        const packBytes = trailerOffset + trailer.length + 72;
        const broken = damaged(trailer, harm);
        expect(codeOf(() => parseTrailer(broken)) ?? "corrupt").toMatch(refusal);
        if (!broken.equals(trailer)) {
          expect(codeOf(() => openTrailer(parseFooter(bytes, packBytes), broken))).toBe("corrupt");
        }
        const brokenFooter = damaged(bytes, harm);
        if (!brokenFooter.equals(bytes))
          expect(codeOf(() => parseFooter(brokenFooter, packBytes))).toMatch(refusal);
        expect(codeOf(() => parseFooter(bytes, packBytes + 1))).toBe("corrupt");
      }),
      { numRuns: 300 },
    );
  });

  test("declared counts are checked before anything is allocated", () => {
    const trailer = Buffer.alloc(16);
    trailer.write("HFt1", "latin1");
    trailer.writeUInt32LE(65_536, 4);
    expect(codeOf(() => parseTrailer(trailer))).toBe("truncated");
    trailer.writeUInt32LE(0xffff_ffff, 4);
    expect(codeOf(() => parseTrailer(trailer))).toBe("corrupt");
  });

  const row: TrailerRow = {
    id: Buffer.alloc(32),
    offset: 96,
    length: 100,
    group: 0,
    writer: Buffer.alloc(16),
    type: RecordType.data,
    hash16: Buffer.alloc(16),
  };

  test.each<[string, TrailerRow[], string]>([
    ["a record without room for its frame", [{ ...row, offset: 95 }], "corrupt"],
    ["overlapping records", [row, { ...row, offset: 196 + 63 }], "corrupt"],
    ["a record outside a pack", [{ ...row, offset: limits.packBytesMax - 99 }], "corrupt"],
    ["a record of 91 bytes", [{ ...row, length: 91 }], "corrupt"],
    ["too many records", Array.from({ length: 65_537 }, () => row), "limit-exceeded"],
  ])("%s is refused", (_what, list, expected) => {
    expect(codeOf(() => encodeTrailer(list))).toBe(expected);
  });

  test("a trailer that names bytes of its own is refused", () => {
    const trailer = encodeTrailer([row]);
    const bytes = encodeFooter({ kind: 1, nonce: Buffer.alloc(16), trailerOffset: 195, trailer });
    const footer = parseFooter(bytes, 195 + trailer.length + 72);
    expect(codeOf(() => openTrailer(footer, trailer))).toBe("corrupt");
  });
});
