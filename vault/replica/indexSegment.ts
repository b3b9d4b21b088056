// Index segments: header, trailer and footer of many packs in one object, so that what is where is known without reading packs
// (docs/format.md, section 11.4).
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { formatVersion, Magic, type PackKind, Width } from "../magic.ts";
import { openTrailer, parseFooter } from "../pack/footer.ts";
import { parsePackHeader } from "../pack/packHeader.ts";
import type { TrailerRow } from "../pack/trailer.ts";
import { readU64, u64 } from "./u64.ts";

/** One pack: its name (32 bytes), its length, its first 32 bytes, and its trailer and footer. */
export type SegmentPack = {
  readonly name: Uint8Array;
  readonly bytes: number;
  readonly header: Uint8Array;
  readonly tail: Uint8Array;
};

const tailBytesMin = Width.trailerHeader + Width.footer;

/** Bytes that a pack takes in a segment. */
export function segmentEntryBytes(pack: Pick<SegmentPack, "tail">): number {
  return Width.segmentEntry + pack.tail.length;
}

/** A segment of these packs; more of them, or more bytes, than a segment may have are a RangeError. */
export function encodeIndexSegment(packs: readonly SegmentPack[]): Buffer {
  const length = packs.reduce((sum, pack) => sum + segmentEntryBytes(pack), Width.segmentHeader as number);
  if (packs.length > limits.segmentPacksMax || length > limits.segmentBytesMax) {
    throw new RangeError(`an index segment of ${packs.length} packs and ${length} bytes`);
  }
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(Magic.segment, 0);
  bytes[4] = formatVersion;
  bytes.writeUInt32LE(packs.length, 8);
  let at: number = Width.segmentHeader;
  for (const pack of packs) {
    if (pack.name.length !== Width.id || pack.header.length !== Width.packHeader) {
      throw new RangeError("a pack's name and header have 32 bytes each");
    }
    bytes.set(pack.name, at);
    bytes.set(u64(pack.bytes), at + 32);
    bytes.writeUInt32LE(pack.tail.length, at + 40);
    bytes.set(pack.header, at + 48);
    bytes.set(pack.tail, at + Width.segmentEntry);
    at += segmentEntryBytes(pack);
  }
  return bytes;
}

/**
 * The packs of a segment, in order; all fields are views. What headers and tails say is checked by `openSegmentPack`.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, unsupported
 */
export function parseIndexSegment(bytes: Uint8Array): SegmentPack[] {
  const segment = asBuffer(bytes);
  if (segment.length > limits.segmentBytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `an index segment of ${segment.length} bytes`);
  }
  if (segment.length < Width.segmentHeader) throw truncated();
  if (segment.readUInt32LE(0) !== Magic.segment) {
    throw new HoldfastError(ErrorCode.corrupt, "not an index segment");
  }
  if (segment[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `index segment of version ${segment[4]}`);
  }
  if (!isZero(segment.subarray(5, 8)) || !isZero(segment.subarray(12, 16))) throw reserved();
  const count = segment.readUInt32LE(8);
  if (count > limits.segmentPacksMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `an index segment of ${count} packs`);
  }
  const packs: SegmentPack[] = [];
  let at: number = Width.segmentHeader;
  while (packs.length < count) {
    if (segment.length - at < Width.segmentEntry) throw truncated();
    const packBytes = readU64(segment, at + 32);
    const tailLength = segment.readUInt32LE(at + 40);
    if (segment.readUInt32LE(at + 44) !== 0) throw reserved();
    if (packBytes > limits.packBytesMax || tailLength < tailBytesMin) {
      throw new HoldfastError(ErrorCode.corrupt, "a pack of an index segment has an impossible length");
    }
    const tailAt = at + Width.segmentEntry;
    if (segment.length - tailAt < tailLength) throw truncated();
    if (tailLength > packBytes - Width.packHeader) {
      throw new HoldfastError(ErrorCode.corrupt, "a pack of an index segment is shorter than its tail");
    }
    packs.push({
      name: segment.subarray(at, at + 32),
      bytes: packBytes,
      header: segment.subarray(at + 48, tailAt),
      tail: segment.subarray(tailAt, tailAt + tailLength),
    });
    at = tailAt + tailLength;
  }
  if (at !== segment.length) {
    throw new HoldfastError(ErrorCode.corrupt, `${segment.length - at} bytes after an index segment`);
  }
  return packs;
}

/**
 * What is where in a pack of a segment; buffers are views.
 * @throws HoldfastError corrupt, truncated, unsupported
 */
export function openSegmentPack(pack: SegmentPack): {
  readonly kind: PackKind;
  readonly nonce: Buffer;
  readonly rows: readonly TrailerRow[];
} {
  const { kind, nonce } = parsePackHeader(pack.header);
  const footer = parseFooter(pack.tail, pack.bytes);
  if (footer.kind !== kind || !footer.nonce.equals(nonce)) {
    throw new HoldfastError(ErrorCode.corrupt, "header and footer of a pack are of different packs");
  }
  const trailer = pack.tail.subarray(0, pack.tail.length - Width.footer);
  return { kind, nonce, rows: openTrailer(footer, trailer) };
}

function truncated(): HoldfastError {
  return new HoldfastError(ErrorCode.truncated, "index segment cut short");
}

function reserved(): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, "reserved bytes of an index segment are set");
}
