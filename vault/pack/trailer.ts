// The table of contents of a closed pack (docs/format.md 7.3).
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Magic, RecordType, Width } from "../magic.ts";
import { recordBytesMin } from "./frame.ts";

/** One record of a pack: `offset` and `length` in bytes, the frame stands before `offset`. */
export type TrailerRow = {
  readonly id: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly group: number;
  readonly writer: Buffer;
  readonly type: RecordType;
  readonly hash16: Buffer;
};

/**
 * The trailer of these rows.
 * @throws HoldfastError limit-exceeded for more records than a pack may have; corrupt for rows out of order,
 * overlapping or outside a pack
 */
export function encodeTrailer(rows: readonly TrailerRow[]): Buffer {
  if (rows.length > limits.packRecordsMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `${rows.length} records in one pack`);
  }
  const writers = new Map<string, number>();
  for (const { writer } of rows) {
    if (writer.length !== Width.deviceId) throw new RangeError("a writer has 16 bytes");
    const key = writer.toString("latin1");
    if (!writers.has(key)) writers.set(key, writers.size);
  }
  const rowsAt = Width.trailerHeader + writers.size * Width.deviceId;
  const bytes = Buffer.alloc(rowsAt + rows.length * Width.trailerRow);
  bytes.writeUInt32LE(Magic.trailer, 0);
  bytes.writeUInt32LE(rows.length, 4);
  bytes.writeUInt32LE(writers.size, 8);
  for (const [writer, index] of writers) {
    bytes.write(writer, Width.trailerHeader + index * Width.deviceId, "latin1");
  }
  let at = rowsAt;
  let free: number = Width.packHeader;
  for (const row of rows) {
    if (row.id.length !== Width.id || row.hash16.length !== Width.recordHash) {
      throw new RangeError("an id has 32 bytes, a record hash 16");
    }
    free = endOfRow(row, free);
    bytes.set(row.id, at);
    bytes.writeUInt32LE(row.offset, at + 32);
    bytes.writeUInt32LE(row.length, at + 36);
    bytes.writeUInt32LE(row.group, at + 40);
    bytes.writeUInt16LE(writers.get(row.writer.toString("latin1"))!, at + 44);
    bytes[at + 46] = row.type;
    bytes.set(row.hash16, at + 48);
    at += Width.trailerRow;
  }
  return bytes;
}

/**
 * The rows of a whole trailer, in pack order; ids, writers and hashes are views.
 * @throws HoldfastError truncated, corrupt
 */
export function parseTrailer(bytes: Uint8Array): TrailerRow[] {
  const trailer = asBuffer(bytes);
  if (trailer.length < Width.trailerHeader) throw new HoldfastError(ErrorCode.truncated, "trailer cut short");
  if (trailer.readUInt32LE(0) !== Magic.trailer) throw new HoldfastError(ErrorCode.corrupt, "not a trailer");
  const rowCount = trailer.readUInt32LE(4);
  const writerCount = trailer.readUInt32LE(8);
  if (trailer.readUInt32LE(12) !== 0) {
    throw new HoldfastError(ErrorCode.corrupt, "reserved bytes of a trailer are set");
  }
  if (rowCount > limits.packRecordsMax || writerCount > rowCount) {
    throw new HoldfastError(ErrorCode.corrupt, `trailer with ${rowCount} rows and ${writerCount} writers`);
  }
  const rowsAt = Width.trailerHeader + writerCount * Width.deviceId;
  const length = rowsAt + rowCount * Width.trailerRow;
  if (trailer.length !== length) {
    const code = trailer.length < length ? ErrorCode.truncated : ErrorCode.corrupt;
    throw new HoldfastError(code, `trailer of ${trailer.length} bytes, its counts say ${length}`);
  }
  const rows: TrailerRow[] = [];
  let free: number = Width.packHeader;
  for (let at = rowsAt; at < length; at += Width.trailerRow) {
    const writerIndex = trailer.readUInt16LE(at + 44);
    if (writerIndex >= writerCount || trailer[at + 47] !== 0) {
      throw new HoldfastError(ErrorCode.corrupt, "trailer row with an unknown writer or reserved bits");
    }
    const writerAt = Width.trailerHeader + writerIndex * Width.deviceId;
    const row: TrailerRow = {
      id: trailer.subarray(at, at + 32),
      offset: trailer.readUInt32LE(at + 32),
      length: trailer.readUInt32LE(at + 36),
      group: trailer.readUInt32LE(at + 40),
      writer: trailer.subarray(writerAt, writerAt + Width.deviceId),
      type: parseRecordType(trailer[at + 46]!),
      hash16: trailer.subarray(at + 48, at + Width.trailerRow),
    };
    free = endOfRow(row, free);
    rows.push(row);
  }
  return rows;
}

/** First byte after the row's record. `free` is the first byte that no row before it covers. */
function endOfRow(row: TrailerRow, free: number): number {
  const end = row.offset + row.length;
  if (row.offset < free + Width.frame || end > limits.packBytesMax) {
    throw new HoldfastError(ErrorCode.corrupt, `record at ${row.offset} overlaps or lies outside its pack`);
  }
  if (row.length < recordBytesMin || row.length > limits.recordBytesMax) {
    throw new HoldfastError(ErrorCode.corrupt, `record of ${row.length} bytes in a trailer`);
  }
  return end;
}

function parseRecordType(value: number): RecordType {
  if (value >= RecordType.data && value <= RecordType.partial) return value as RecordType;
  throw new HoldfastError(ErrorCode.corrupt, `unknown record type ${value} in a trailer`);
}
