// What every list of a box's manifest begins with (docs/format.md, section 12.3).
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { formatVersion, Magic, type SeedListType, Width } from "../magic.ts";

/** The header of a list of `count` rows. */
export function encodeListHeader(type: SeedListType, count: number): Buffer {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`a list of ${count} rows`);
  const header = Buffer.alloc(Width.seedListHeader);
  header.writeUInt32LE(Magic.seedList, 0);
  header[4] = formatVersion;
  header[5] = type;
  header.writeBigUInt64LE(BigInt(count), 8);
  return header;
}

/**
 * The number of rows that a header states. `bytes`: the header, or more.
 * @throws HoldfastError truncated, corrupt (another type, too), unsupported
 */
export function parseListHeader(bytes: Uint8Array, type: SeedListType): number {
  const header = asBuffer(bytes);
  if (header.length < Width.seedListHeader) throw new HoldfastError(ErrorCode.truncated, "a list cut short");
  if (header.readUInt32LE(0) !== Magic.seedList) {
    throw new HoldfastError(ErrorCode.corrupt, "not a list of a box");
  }
  if (header[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `a list of version ${header[4]}`, {
      next: "Use a newer version of this program.",
    });
  }
  if (header[5] !== type) throw new HoldfastError(ErrorCode.corrupt, "another list than was expected");
  const count = header.readBigUInt64LE(8);
  if (!isZero(header.subarray(6, 8)) || !isZero(header.subarray(16, 24)) || count > Number.MAX_SAFE_INTEGER) {
    throw new HoldfastError(ErrorCode.corrupt, "a list's header is damaged");
  }
  return Number(count);
}
