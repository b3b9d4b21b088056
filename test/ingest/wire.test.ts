import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCertificate } from "../../gateway/certificate.ts";
import { fingerprintOf, parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { bitAt, createBitmap, parseBitmap, setBit } from "../../ingest/wire/bitmap.ts";
import { encodeGroupIds, encodeIds, idAt, idCount, parseGroupIds } from "../../ingest/wire/idList.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import {
  encodePromised,
  encodeReadLength,
  type ReadResult,
  ReadSign,
  ReadStreamParser,
} from "../../ingest/wire/readStream.ts";
import { declaredLength, encodeRecordBody } from "../../ingest/wire/recordBody.ts";
import { encodeRecordsAnswer, parseRecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";

const id = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** Arbitrary bytes never make a parser do anything but answer or throw a HoldfastError. */
function survives(parse: (bytes: Buffer) => unknown): void {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        parse(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(HoldfastError);
      }
    }),
    { numRuns: 500 },
  );
}

describe("id lists", () => {
  test("round trip", () => {
    fc.assert(
      fc.property(fc.array(id, { maxLength: 20 }), fc.nat(0xffff_ffff), (ids, group) => {
        const bytes = encodeIds(ids);
        expect(idCount(bytes, 20)).toBe(ids.length);
        ids.forEach((each, i) => {
          expect(Buffer.from(each).equals(idAt(bytes, i))).toBe(true);
        });
        const parsed = parseGroupIds(encodeGroupIds(group, ids), 20);
        expect(parsed).toMatchObject({ group, count: ids.length });
        expect(parsed.ids.equals(bytes)).toBe(true);
      }),
    );
  });
  test("too many ids and broken lengths are refused", () => {
    expect(() => idCount(Buffer.alloc(33), 10)).toThrow(HoldfastError);
    expect(() => idCount(Buffer.alloc(32 * 11), 10)).toThrow("at most 10");
    expect(() => parseGroupIds(Buffer.alloc(3), 10)).toThrow(HoldfastError);
  });
  test("fuzz", () => survives((bytes) => parseGroupIds(bytes, 5)));
});

describe("bitmaps", () => {
  test("round trip", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (bits) => {
        const bitmap = createBitmap(bits.length);
        bits.forEach((bit, i) => {
          if (bit) setBit(bitmap, i);
        });
        const parsed = parseBitmap(bitmap, bits.length);
        expect(bits.map((_, i) => bitAt(parsed, i))).toEqual(bits);
      }),
    );
  });
  test("wrong lengths and stray bits are refused", () => {
    expect(() => parseBitmap(Buffer.alloc(2), 8)).toThrow(HoldfastError);
    expect(() => parseBitmap(Buffer.from([0x80]), 7)).toThrow(HoldfastError);
  });
  test("fuzz", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        fc.oneof(fc.nat(170), fc.nat(2 ** 31)),
        (bytes, count) => {
          try {
            const parsed = parseBitmap(Buffer.from(bytes), count);
            expect(parsed.length).toBe(Math.ceil(count / 8));
            const set = Array.from({ length: parsed.length * 8 }, (_, i) => bitAt(parsed, i));
            expect(set.lastIndexOf(true)).toBeLessThan(count);
          } catch (error) {
            expect(error).toBeInstanceOf(HoldfastError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("records body", () => {
  test("lengths that no record has are refused before anything is set aside", () => {
    const declare = (length: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(length, 0);
      return bytes;
    };
    expect(() => declaredLength(declare(2 ** 31), 0, 4)).toThrow("at most");
    expect(() => declaredLength(declare(limits.recordBytesMax + 1), 0, 4)).toThrow("at most");
    expect(() => declaredLength(declare(91), 0, 4)).toThrow("at least");
    expect(declaredLength(declare(limits.recordBytesMax), 0, 4)).toBe(limits.recordBytesMax);
    expect(declaredLength(declare(100), 0, 3)).toBeUndefined();
  });
  test("records are not copied", () => {
    const record = randomBytes(100);
    expect(encodeRecordBody([record])[1]).toBe(record);
  });
});

describe("records answer", () => {
  test("round trip", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2), { maxLength: 50 }),
        fc.array(id, { maxLength: 5 }),
        (statuses, missing) => {
          const bytes = encodeRecordsAnswer({ statuses: Uint8Array.from(statuses), missing });
          const parsed = parseRecordsAnswer(bytes, statuses.length);
          expect([...parsed.statuses]).toEqual(statuses);
          expect(parsed.missing.map((each) => Buffer.from(each).toString("hex"))).toEqual(
            missing.map((each) => Buffer.from(each).toString("hex")),
          );
        },
      ),
    );
  });
  test("wrong counts and unknown statuses are refused", () => {
    const bytes = encodeRecordsAnswer({ statuses: Uint8Array.of(0, 1), missing: [] });
    expect(() => parseRecordsAnswer(bytes, 3)).toThrow(HoldfastError);
    expect(() =>
      parseRecordsAnswer(encodeRecordsAnswer({ statuses: Uint8Array.of(3), missing: [] }), 1),
    ).toThrow("status");
    const many = Buffer.alloc(9);
    many.writeUInt32LE(1, 0);
    many.writeUInt32LE(0xffff_ffff, 5);
    expect(() => parseRecordsAnswer(many, 1)).toThrow("missing ids");
  });
  test("fuzz", () => {
    survives((bytes) => parseRecordsAnswer(bytes, 1));
    survives((bytes) => parseRecordsAnswer(bytes, bytes.length < 4 ? 0 : bytes.readUInt32LE(0) % 64));
  });
});

describe("read stream", () => {
  const record = fc.uint8Array({ minLength: 92, maxLength: 300 });
  const result: fc.Arbitrary<ReadResult> = fc.oneof(
    record.map((bytes) => ({ state: "record" as const, record: Buffer.from(bytes) })),
    fc.constant({ state: "missing" as const }),
    fc.constant({ state: "damaged" as const }),
    fc.constant({ state: "unavailable" as const }),
    fc.constant({ state: "leftOut" as const }),
    fc.integer({ min: 1, max: 0xffff_ffff }).map((box) => ({ state: "promised" as const, box })),
  );
  function encode(results: readonly ReadResult[]): Buffer {
    return Buffer.concat(
      results.flatMap((each) => {
        if (each.state === "record") return [encodeReadLength(each.record.length), each.record];
        if (each.state === "promised") return [encodePromised(each.box)];
        if (each.state === "leftOut") return [encodePromised(0)];
        return [encodeReadLength(ReadSign[each.state])];
      }),
    );
  }
  test("any cutting of the stream brings the same results", () => {
    fc.assert(
      fc.property(
        fc.array(result, { maxLength: 8 }),
        fc.array(fc.nat(1000), { maxLength: 10 }),
        (results, cuts) => {
          const bytes = encode(results);
          const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          const parser = new ReadStreamParser(results.length);
          const found = at.slice(1).flatMap((end, i) => parser.push(bytes.subarray(at[i]!, end)));
          parser.finish();
          expect(found).toEqual(results);
        },
      ),
    );
  });
  test("records own their memory", () => {
    const [found] = new ReadStreamParser(1).push(encode([{ state: "record", record: randomBytes(100) }]));
    expect(found?.state === "record" && found.record.buffer.byteLength).toBe(100);
  });
  test("a lying length, an answer too many and a cut end are refused", () => {
    expect(() => new ReadStreamParser(1).push(encodeReadLength(2 ** 31))).toThrow("declares");
    expect(() => new ReadStreamParser(1).push(encodeReadLength(5))).toThrow("declares");
    expect(() =>
      new ReadStreamParser(1).push(Buffer.concat([encodeReadLength(0), encodeReadLength(0)])),
    ).toThrow("more ids");
    const parser = new ReadStreamParser(2);
    parser.push(encodeReadLength(0));
    expect(() => parser.finish()).toThrow("ends after 1 of 2");
  });
  test("fuzz", () => survives((bytes) => new ReadStreamParser(3).push(bytes)));
});

describe("names and fingerprints", () => {
  test("names that could leave their folder or confuse people are refused", () => {
    for (const good of ["anna", "Büro 2", "host.example-1", "a"])
      expect(checkName(good, "account")).toBe(good);
    expect(checkName("Bu\u0308ro", "device")).toBe("Büro");
    for (const bad of [
      "",
      ".",
      "..",
      "a/b",
      "a\0b",
      " a",
      "a ",
      "a.",
      "x".repeat(65),
      "a\nb",
      "-rf",
      "a\u202eb",
    ]) {
      expect(() => checkName(bad, "account")).toThrow(HoldfastError);
    }
  });
  test("a fingerprint is that of the key and reads in the forms people paste", async () => {
    const { certificate } = await createCertificate("box", [], new Date());
    const fingerprint = fingerprintOf(certificate);
    const hex = fingerprint.slice(7);
    expect(parseFingerprint(fingerprint)).toBe(fingerprint);
    expect(parseFingerprint(` sha256:${hex.toUpperCase().replace(/..(?=.)/g, "$&:")} `)).toBe(fingerprint);
    expect(() => parseFingerprint(hex.slice(1))).toThrow(HoldfastError);
  });
});

test("the bounds of the protocol agree with each other", () => {
  expect(wireLimits.haveBytes).toBe(512 * 1024);
  expect(wireLimits.recordsBytes).toBeGreaterThan(limits.recordBytesMax);
});
