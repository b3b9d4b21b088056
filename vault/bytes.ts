// Reading and writing the byte layouts of docs/format.md: little-endian integers, LEB128 varints, hex.
//
// Invariants of ByteReader: never reads past its bytes (`truncated`), never copies, never allocates by a
// number that it read. Of ByteWriter: bytes 0..length of its buffer are what was written.
import { ErrorCode, HoldfastError } from "./errors.ts";

/** Most bytes of a varint: 8 groups of 7 bits hold every value below 2^53. */
const varintBytesMax = 8;

/** The same memory as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Gives the memory behind bytes back at once, all of it, unless small buffers share it. V8 would collect the whole heap again and again
 * for buffers that pile up beside it. The bytes are gone afterwards.
 */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

/** The same, only where the bytes are all that is in their memory. */
export function giveBackWhole(bytes: Uint8Array): void {
  if (bytes.length === bytes.buffer.byteLength) giveBack(bytes);
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/**
 * Bytes of a lower-case hex text; with `bytes`, exactly so many.
 * @throws HoldfastError corrupt for other characters, upper case, odd or unexpected length
 */
export function fromHex(text: string, bytes?: number): Buffer {
  if (bytes !== undefined && text.length !== bytes * 2) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `expected ${bytes} bytes in hex, found ${text.length} characters`,
    );
  }
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw new HoldfastError(ErrorCode.corrupt, "not a lower-case hex text");
  }
  return Buffer.from(text, "hex");
}

/** Whether both have the same bytes. Not constant-time: for secrets and tags use timingSafeEqual. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Order of bytes, shorter first where one is a prefix: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Whether every byte is zero. Compares memory in blocks, so that it runs at memory speed. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const length = Math.min(zeros.length, bytes.length - at);
    if (zeros.compare(bytes, at, at + length, 0, length) !== 0) return false;
  }
  return true;
}

const zeros = Buffer.alloc(64 * 1024);

/** Bytes that `writer.varint(value)` writes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Reads a byte string front to back. */
export class ByteReader {
  /** Where the next read starts. */
  offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = asBuffer(bytes);
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  #take(length: number): number {
    const start = this.offset;
    if (length > this.#bytes.length - start) {
      throw new HoldfastError(
        ErrorCode.truncated,
        `needs ${length} bytes at ${start}, has ${this.remaining}`,
      );
    }
    this.offset = start + length;
    return start;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8));
  }

  /**
   * An unsigned LEB128 number below 2^53 in its shortest form.
   * @throws HoldfastError truncated; corrupt for a longer form or a larger number
   */
  varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < varintBytesMax; i++, scale *= 0x80) {
      const byte = bytes[this.#take(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (byte === 0 && i > 0) throw new HoldfastError(ErrorCode.corrupt, "varint not in its shortest form");
      if (value > Number.MAX_SAFE_INTEGER)
        throw new HoldfastError(ErrorCode.corrupt, "varint of 2^53 or more");
      return value;
    }
    throw new HoldfastError(ErrorCode.corrupt, "varint longer than 8 bytes");
  }

  /** The next `length` bytes as a view. */
  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The next `length` bytes as text where all of them are ASCII; else undefined, and they are still to be read. */
  ascii(length: number): string | undefined {
    const start = this.#take(length);
    for (let at = start; at < this.offset; at++) {
      if (this.#bytes[at]! < 0x80) continue;
      this.offset = start;
      return undefined;
    }
    return this.#bytes.toString("latin1", start, this.offset);
  }

  /** Passes over the next `length` bytes. */
  skip(length: number): void {
    this.#take(length);
  }

  /** @throws HoldfastError corrupt when bytes are left */
  end(): void {
    if (this.remaining !== 0) {
      throw new HoldfastError(ErrorCode.corrupt, `${this.remaining} unexpected bytes at the end`);
    }
  }
}

/** One 64-bit number as two 32-bit words, low word first: the processors we run on are little-endian. */
const wide = new BigUint64Array(1);
const words = new Uint32Array(wide.buffer);

/** Builds a byte string front to back in one growing buffer. Out-of-range numbers are a RangeError. */
export class ByteWriter {
  /** Bytes written since the start or the last reset(). */
  length = 0;
  #buffer: Buffer;

  constructor(initial = 256) {
    this.#buffer = Buffer.allocUnsafe(Math.max(initial, 16));
  }

  #take(length: number): number {
    const start = this.length;
    const end = start + length;
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    this.length = end;
    return start;
  }

  u8(value: number): void {
    if ((value & 0xff) !== value) throw new RangeError(`not a u8: ${value}`);
    const at = this.#take(1);
    this.#buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.#take(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    if (value >>> 0 !== value) throw new RangeError(`not a u32: ${value}`);
    const at = this.#take(4);
    const buffer = this.#buffer;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }

  u64(value: bigint): void {
    // Two words of a typed array: Buffer's own method takes bigints apart byte by byte.
    wide[0] = value;
    if (wide[0] !== value) throw new RangeError(`not a u64: ${value}`);
    this.u32(words[0]!);
    this.u32(words[1]!);
  }

  i64(value: bigint): void {
    const at = this.#take(8);
    this.#buffer.writeBigInt64LE(value, at);
  }

  /** An integer from 0 to 2^53 - 1 as shortest LEB128. */
  varint(value: number): void {
    if (value < 0x80 && (value | 0) === value && value >= 0) {
      const at = this.#take(1);
      this.#buffer[at] = value;
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a varint: ${value}`);
    let at = this.#take(varintLength(value));
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[at++] = (rest % 0x80) | 0x80;
    this.#buffer[at] = rest;
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Everything that another writer holds. */
  append(other: ByteWriter): void {
    const at = this.#take(other.length);
    other.#buffer.copy(this.#buffer, at, 0, other.length);
  }

  /** A copy of what was written; the writer can go on or be reset. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.length));
  }

  /** Starts again with the same memory. */
  reset(): void {
    this.length = 0;
  }
}
