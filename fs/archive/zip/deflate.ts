// Compressing content, or leaving it as it is where that saves nothing. Each block stands for itself, so that blocks of one file
// can be compressed side by side; one after the other they are one deflate stream. The same bytes always give the same result.

import { constants, deflateRaw, deflateRawSync } from "node:zlib";

/** Measured (docs/decisions/0010-archives.md): the next levels cost twice the time for a few percent. */
const level = 1;
/** Smaller content is compressed at once: handing it to a thread takes longer. */
const atOnceBytes = 1024;
/** Of larger blocks a sample is compressed first; where it keeps this share of its size, the block stays as it is. */
const sampleBytes = 16 * 1024;
const sampledFrom = 64 * 1024;
const shareMin = 0.96;
const storedBytesMax = 0xffff;

/** Content as a deflate stream of its own, or undefined where it would not get smaller. */
export async function deflatedWhole(bytes: Buffer): Promise<Buffer | undefined> {
  if (bytes.length < 32 || looksPacked(bytes)) return undefined;
  const packed = await deflated(bytes, constants.Z_FINISH);
  return packed.length < bytes.length ? packed : undefined;
}

/** A block of a longer deflate stream; `last` ends it. */
export async function deflatedBlock(bytes: Buffer, last: boolean): Promise<Buffer> {
  if (looksPacked(bytes)) return storedBlocks(bytes, last);
  const packed = await deflated(bytes, last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH);
  return packed.length < storedStreamBytes(bytes.length) ? packed : storedBlocks(bytes, last);
}

/** A block as it is, in the form that a deflate stream gives it. */
export function storedBlocks(bytes: Buffer, last: boolean): Buffer {
  const out = Buffer.allocUnsafeSlow(storedStreamBytes(bytes.length));
  let to = 0;
  for (let at = 0; at < bytes.length; at += storedBytesMax) {
    const length = Math.min(storedBytesMax, bytes.length - at);
    out[to] = last && at + length === bytes.length ? 1 : 0;
    out.writeUInt16LE(length, to + 1);
    out.writeUInt16LE(length ^ 0xffff, to + 3);
    bytes.copy(out, to + 5, at, at + length);
    to += 5 + length;
  }
  return out;
}

/** How long so many bytes (at least one) are after storedBlocks. */
export function storedStreamBytes(bytes: number): number {
  return bytes + 5 * Math.ceil(bytes / storedBytesMax);
}

function deflated(bytes: Buffer, finishFlush: number): Promise<Buffer> {
  const options = {
    level,
    finishFlush,
    // A window larger than the content costs time to clear and finds nothing more.
    windowBits: Math.min(15, Math.max(9, Math.ceil(Math.log2(bytes.length)))),
    memLevel: bytes.length < 16 * 1024 ? 6 : 8,
    chunkSize: Math.max(64, bytes.length),
  };
  if (bytes.length <= atOnceBytes) return Promise.resolve(deflateRawSync(bytes, options));
  return new Promise((resolve, reject) => {
    deflateRaw(bytes, options, (error, packed) => (error === null ? resolve(packed) : reject(error)));
  });
}

function looksPacked(bytes: Buffer): boolean {
  if (bytes.length < sampledFrom) return false;
  const from = (bytes.length - sampleBytes) >> 1;
  const sample = deflateRawSync(bytes.subarray(from, from + sampleBytes), { level, chunkSize: sampleBytes });
  return sample.length > sampleBytes * shareMin;
}
