// The last 72 bytes of a closed pack (docs/format.md 7.3): where the trailer is and what it hashes to.
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { formatVersion, Magic, type PackKind, Width } from "../magic.ts";
import { parsePackKind } from "./packHeader.ts";
import { parseTrailer, type TrailerRow } from "./trailer.ts";

/** Offsets and lengths in bytes; `trailerHash` is the SHA-256 of the trailer. */
export type PackFooter = {
  readonly kind: PackKind;
  readonly trailerOffset: number;
  readonly trailerLength: number;
  readonly nonce: Buffer;
  readonly trailerHash: Buffer;
};

const nonceAt = 16;
const hashAt = 32;
const crcAt = 64;

/** The footer for a trailer that stands at `trailerOffset`, right before it. */
export function encodeFooter(fields: {
  readonly kind: PackKind;
  readonly nonce: Uint8Array;
  readonly trailerOffset: number;
  readonly trailer: Uint8Array;
}): Buffer {
  if (fields.nonce.length !== Width.packNonce) throw new RangeError("a pack nonce has 16 bytes");
  const bytes = Buffer.alloc(Width.footer);
  bytes.writeUInt32LE(Magic.footer, 0);
  bytes[4] = formatVersion;
  bytes[5] = fields.kind;
  bytes.writeUInt32LE(fields.trailerOffset, 8);
  bytes.writeUInt32LE(fields.trailer.length, 12);
  bytes.set(fields.nonce, nonceAt);
  bytes.set(sha256(fields.trailer), hashAt);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt)), crcAt);
  return bytes;
}

/**
 * The footer in the last 72 of `bytes`, the end of a pack of `packBytes` bytes; fields are views.
 * @throws HoldfastError truncated, corrupt, unsupported
 */
export function parseFooter(bytes: Uint8Array, packBytes: number): PackFooter {
  if (bytes.length < Width.footer || packBytes < Width.packHeader + Width.footer) {
    throw new HoldfastError(ErrorCode.truncated, "pack too short for a footer");
  }
  const footer = asBuffer(bytes).subarray(bytes.length - Width.footer);
  if (footer.readUInt32LE(0) !== Magic.footer) throw new HoldfastError(ErrorCode.corrupt, "no pack footer");
  if (footer.readUInt32LE(crcAt) !== crc32(footer.subarray(0, crcAt))) {
    throw new HoldfastError(ErrorCode.corrupt, "pack footer fails its checksum");
  }
  if (footer[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `pack footer of version ${footer[4]}`);
  }
  const kind = parsePackKind(footer[5]!);
  if (footer.readUInt16LE(6) !== 0 || footer.readUInt32LE(68) !== 0) {
    throw new HoldfastError(ErrorCode.corrupt, "reserved bytes of a pack footer are set");
  }
  const trailerOffset = footer.readUInt32LE(8);
  const trailerLength = footer.readUInt32LE(12);
  if (
    packBytes > limits.packBytesMax ||
    trailerOffset < Width.packHeader ||
    trailerOffset + trailerLength + Width.footer !== packBytes
  ) {
    throw new HoldfastError(ErrorCode.corrupt, "pack footer does not fit the length of its pack");
  }
  return {
    kind,
    trailerOffset,
    trailerLength,
    nonce: footer.subarray(nonceAt, hashAt),
    trailerHash: footer.subarray(hashAt, crcAt),
  };
}

/**
 * The rows of the trailer that a footer names, checked against it.
 * @throws HoldfastError truncated, corrupt
 */
export function openTrailer(footer: PackFooter, trailer: Uint8Array): TrailerRow[] {
  if (trailer.length !== footer.trailerLength || !footer.trailerHash.equals(sha256(trailer))) {
    throw new HoldfastError(ErrorCode.corrupt, "trailer is not what its footer says");
  }
  const rows = parseTrailer(trailer);
  const last = rows.at(-1);
  if (last !== undefined && last.offset + last.length > footer.trailerOffset) {
    throw new HoldfastError(ErrorCode.corrupt, "trailer names a record behind its own start");
  }
  return rows;
}

function sha256(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}
