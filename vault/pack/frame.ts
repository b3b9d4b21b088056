// The 64 bytes before each record of a pack (docs/format.md 7.2): who wrote what, and the means to find it again
// after damage.
import { crc32 } from "node:zlib";
import { asBuffer } from "../bytes.ts";
import { limits } from "../limits.ts";
import { Magic, Width } from "../magic.ts";

/** Shortest record: header, plain length, tag. */
export const recordBytesMin = Width.recordHeader + Width.plainLength + Width.tag;

/** A frame; `recordHash` is the first 16 bytes of the record's SHA-256, `writer` a device id. */
export type Frame = {
  readonly nonce: Buffer;
  readonly recordLength: number;
  readonly group: number;
  readonly writer: Buffer;
  readonly recordHash: Buffer;
};

/** What encodeFrame takes: nonce, writer and recordHash of 16 bytes each. */
export type FrameFields = {
  readonly nonce: Uint8Array;
  readonly recordLength: number;
  readonly group: number;
  readonly writer: Uint8Array;
  readonly recordHash: Uint8Array;
};

/** Where `HFf1` stands in a frame. */
export const frameMagicAt = 16;
const writerAt = 28;
const hashAt = 44;
const crcAt = 60;

/** The 64 bytes of a frame. */
export function encodeFrame(frame: FrameFields): Buffer {
  for (const part of [frame.nonce, frame.writer, frame.recordHash]) {
    if (part.length !== 16) throw new RangeError("nonce, writer and hash of a frame have 16 bytes each");
  }
  if (frame.recordLength < recordBytesMin || frame.recordLength > limits.recordBytesMax) {
    throw new RangeError(`a record of ${frame.recordLength} bytes`);
  }
  const bytes = Buffer.allocUnsafe(Width.frame);
  bytes.set(frame.nonce, 0);
  bytes.writeUInt32LE(Magic.frame, frameMagicAt);
  bytes.writeUInt32LE(frame.recordLength, 20);
  bytes.writeUInt32LE(frame.group, 24);
  bytes.set(frame.writer, writerAt);
  bytes.set(frame.recordHash, hashAt);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt)), crcAt);
  return bytes;
}

/**
 * The frame in the first 64 of `bytes` (fields are views), or undefined when there is none: too few bytes, another
 * nonce than the given one, wrong magic or checksum, or a length that no record has.
 */
export function parseFrame(bytes: Uint8Array, nonce?: Uint8Array): Frame | undefined {
  if (bytes.length < Width.frame) return undefined;
  const frame = asBuffer(bytes).subarray(0, Width.frame);
  if (frame.readUInt32LE(frameMagicAt) !== Magic.frame) return undefined;
  if (nonce !== undefined && frame.compare(nonce, 0, nonce.length, 0, frameMagicAt) !== 0) return undefined;
  if (frame.readUInt32LE(crcAt) !== crc32(frame.subarray(0, crcAt))) return undefined;
  const recordLength = frame.readUInt32LE(20);
  if (recordLength < recordBytesMin || recordLength > limits.recordBytesMax) return undefined;
  return {
    nonce: frame.subarray(0, frameMagicAt),
    recordLength,
    group: frame.readUInt32LE(24),
    writer: frame.subarray(writerAt, hashAt),
    recordHash: frame.subarray(hashAt, crcAt),
  };
}
