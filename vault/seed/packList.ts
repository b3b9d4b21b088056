// The packs of a vault on a box (docs/format.md, section 12.3): first data packs, then metadata packs in the order in which they were begun.
//
// Both ways go row by row or portion by portion, so that a list of any length takes the memory of a portion.
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { PackKind, SeedListType, Width } from "../magic.ts";
import { parseListHeader } from "./listHeader.ts";

export type SeedPackRow = {
  /** SHA-256 of the pack, 32 bytes. */
  readonly name: Uint8Array;
  readonly bytes: number;
  readonly kind: PackKind;
  readonly records: number;
};

/** One row. */
export function encodePackRow({ name, bytes, kind, records }: SeedPackRow): Buffer {
  if (name.length !== 32) throw new RangeError("a pack's name has 32 bytes");
  const row = Buffer.alloc(Width.seedPackRow);
  row.set(name, 0);
  row.writeBigUInt64LE(BigInt(bytes), 32);
  row[40] = kind;
  row.writeUInt32LE(records, 44);
  return row;
}

/**
 * Rows of a list that comes in pieces of any length, in order. What is stated in the header and by the kinds' order is checked.
 * @throws HoldfastError truncated, corrupt, limit-exceeded, unsupported; what `pieces` throws
 */
export async function* readPackList(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<SeedPackRow, void, undefined> {
  let rest = Buffer.alloc(0);
  let left: number | undefined;
  let inMetadata = false;
  for await (const piece of pieces) {
    rest = Buffer.concat([rest, piece]);
    let at = 0;
    if (left === undefined) {
      if (rest.length < Width.seedListHeader) continue;
      left = parseListHeader(rest, SeedListType.packs);
      at = Width.seedListHeader;
    }
    for (; rest.length - at >= Width.seedPackRow; at += Width.seedPackRow) {
      if (left-- === 0) throw tooLong();
      const row = parsePackRow(rest.subarray(at, at + Width.seedPackRow));
      if (row.kind === PackKind.metadata) inMetadata = true;
      else if (inMetadata) {
        throw new HoldfastError(ErrorCode.corrupt, "a list of packs has data packs behind metadata packs");
      }
      yield row;
    }
    rest = rest.subarray(at);
  }
  if (left === undefined || left > 0 || (rest.length > 0 && left > 0)) {
    throw new HoldfastError(ErrorCode.truncated, "a list of packs is cut short");
  }
  if (rest.length > 0) throw tooLong();
}

function tooLong(): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, "a list of packs is longer than it states");
}

function parsePackRow(bytes: Uint8Array): SeedPackRow {
  const row = asBuffer(bytes);
  const length = row.readBigUInt64LE(32);
  const kind = row[40];
  const records = row.readUInt32LE(44);
  if (!isZero(row.subarray(41, 44)) || (kind !== PackKind.data && kind !== PackKind.metadata)) {
    throw new HoldfastError(ErrorCode.corrupt, "a row of a list of packs is damaged");
  }
  if (length > limits.packBytesMax || records > limits.packRecordsMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `a pack of ${length} bytes and ${records} records`);
  }
  return { name: Buffer.from(row.subarray(0, 32)), bytes: Number(length), kind, records };
}
