import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ByteReader,
  ByteWriter,
  compareBytes,
  equalBytes,
  fromHex,
  isZero,
  toHex,
  varintLength,
} from "../../vault/bytes.ts";
import { outcome } from "./sampleVault.ts";

describe("varint", () => {
  const edges = [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32, 2 ** 42 - 1, 2 ** 49, 2 ** 53 - 1];

  test.each(edges)("%d survives and has the stated length", (value) => {
    const writer = new ByteWriter(1);
    writer.varint(value);
    expect(writer.length).toBe(varintLength(value));
    const reader = new ByteReader(writer.finish());
    expect(reader.varint()).toBe(value);
    reader.end();
  });

  test("any number survives", () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (values) => {
        const writer = new ByteWriter(1);
        for (const value of values) writer.varint(value);
        const reader = new ByteReader(writer.finish());
        expect(values.map(() => reader.varint())).toEqual(values);
        reader.end();
      }),
    );
  });

  test.each([
    ["longer than needed", "8000", "corrupt"],
    ["longer than needed in the middle", "ff8000", "corrupt"],
    ["2^53", "808080808080801000", "corrupt"],
    ["2^53 in 8 bytes", "8080808080808010", "corrupt"],
    ["nine bytes", "ffffffffffffffff01", "corrupt"],
    ["cut off", "ff", "truncated"],
    ["empty", "", "truncated"],
  ])("refuses one that is %s", (_, hex, code) => {
    expect(outcome(() => new ByteReader(fromHex(hex)).varint())).toBe(code);
  });

  test("the writer refuses what is not a number below 2^53", () => {
    for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) {
      expect(() => new ByteWriter().varint(value)).toThrow(RangeError);
    }
  });
});

test("text is read as ASCII where it is, and left where it is not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(12), (bytes, length) => {
      const reader = new ByteReader(Buffer.concat([Buffer.from([9]), bytes]));
      reader.u8();
      if (length > bytes.length) {
        expect(outcome(() => reader.ascii(length))).toBe("truncated");
        return;
      }
      const taken = Buffer.from(bytes.subarray(0, length));
      const text = reader.ascii(length);
      if (taken.every((byte) => byte < 0x80)) expect(text).toBe(taken.toString("utf8"));
      else {
        expect(text).toBeUndefined();
        expect(reader.bytes(length).equals(taken)).toBe(true);
      }
      expect(reader.remaining).toBe(bytes.length - length);
    }),
  );
});

describe("fixed widths", () => {
  test("survive, little-endian", () => {
    const writer = new ByteWriter(1);
    writer.u8(0xab);
    writer.u16(0x1234);
    writer.u32(0xdeadbeef);
    writer.u64(0x0102030405060708n);
    writer.i64(-2n);
    writer.bytes(Buffer.from("xyz"));
    const bytes = writer.finish();
    expect(toHex(bytes)).toBe("ab3412efbeadde0807060504030201feffffffffffffff78797a");
    const reader = new ByteReader(bytes);
    expect(reader.u8()).toBe(0xab);
    expect(reader.u16()).toBe(0x1234);
    expect(reader.u32()).toBe(0xdeadbeef);
    expect(reader.u64()).toBe(0x0102030405060708n);
    expect(reader.i64()).toBe(-2n);
    reader.skip(1);
    expect(reader.remaining).toBe(2);
    expect(outcome(() => reader.end())).toBe("corrupt");
    expect(outcome(() => reader.bytes(3))).toBe("truncated");
    expect(reader.bytes(2).toString()).toBe("yz");
    reader.end();
  });

  test("finish() is a copy and reset() starts again", () => {
    const writer = new ByteWriter(4);
    writer.u8(1);
    const first = writer.finish();
    writer.reset();
    writer.u8(2);
    expect([...first, ...writer.finish()]).toEqual([1, 2]);
  });
});

test("fromHex takes lower-case hex of the wanted length only", () => {
  expect(fromHex("00ff", 2)).toEqual(Buffer.from([0, 255]));
  for (const text of ["0", "0g", "AB", "éé", "00 1"]) expect(outcome(() => fromHex(text))).toBe("corrupt");
  expect(outcome(() => fromHex("0000", 3))).toBe("corrupt");
});

test("comparisons look at bytes and length", () => {
  expect(equalBytes(Buffer.from("ab"), Buffer.from("ab"))).toBe(true);
  expect(equalBytes(Buffer.from("ab"), Buffer.from("abc"))).toBe(false);
  expect(compareBytes(Buffer.from([0x80]), Buffer.from([0x7f, 0xff]))).toBe(1);
});

test("isZero finds a single bit anywhere", () => {
  fc.assert(
    fc.property(fc.nat({ max: 200_000 }), fc.nat(), (length, at) => {
      const bytes = new Uint8Array(length);
      expect(isZero(bytes)).toBe(true);
      if (length === 0) return;
      bytes[at % length] = 1;
      expect(isZero(bytes)).toBe(false);
    }),
    { numRuns: 50 },
  );
});
