// The first 32 bytes of a pack (docs/format.md 7.1).
import { crc32 } from "node:zlib";
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { formatVersion, Magic, PackKind, Width } from "../magic.ts";

/** What a pack holds, and the random number that its frames repeat. */
export type PackHeader = { readonly kind: PackKind; readonly nonce: Buffer };

const crcAt = 24;

/** The 32 bytes; `nonce` has 16. */
export function encodePackHeader(header: { readonly kind: PackKind; readonly nonce: Uint8Array }): Buffer {
  if (header.nonce.length !== Width.packNonce) throw new RangeError("a pack nonce has 16 bytes");
  const bytes = Buffer.alloc(Width.packHeader);
  bytes.writeUInt32LE(Magic.pack, 0);
  bytes[4] = formatVersion;
  bytes[5] = header.kind;
  bytes.set(header.nonce, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt)), crcAt);
  return bytes;
}

/**
 * Reads the first 32 of `bytes`; the nonce is a view.
 * @throws HoldfastError truncated, corrupt, or unsupported for a newer version
 */
export function parsePackHeader(bytes: Uint8Array): PackHeader {
  if (bytes.length < Width.packHeader) throw new HoldfastError(ErrorCode.truncated, "pack header cut short");
  const header = asBuffer(bytes).subarray(0, Width.packHeader);
  if (header.readUInt32LE(0) !== Magic.pack) throw new HoldfastError(ErrorCode.corrupt, "not a pack");
  if (header.readUInt32LE(crcAt) !== crc32(header.subarray(0, crcAt))) {
    throw new HoldfastError(ErrorCode.corrupt, "pack header fails its checksum");
  }
  if (header[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `pack of version ${header[4]}`);
  }
  const kind = parsePackKind(header[5]!);
  if (header.readUInt16LE(6) !== 0 || header.readUInt32LE(28) !== 0) {
    throw new HoldfastError(ErrorCode.corrupt, "reserved bytes of a pack header are set");
  }
  return { kind, nonce: header.subarray(8, 8 + Width.packNonce) };
}

/** @throws HoldfastError corrupt for a number that is no pack kind */
export function parsePackKind(value: number): PackKind {
  if (value === PackKind.data || value === PackKind.metadata) return value;
  throw new HoldfastError(ErrorCode.corrupt, `unknown pack kind ${value}`);
}
