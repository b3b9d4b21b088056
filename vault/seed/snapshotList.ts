// The snapshots of a vault on a box, whole objects, oldest commit first (docs/format.md, section 12.3).
//
// Memory of a reader: one snapshot object, and one piece of what it is given.
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { SeedListType, Width } from "../magic.ts";
import { parseListHeader } from "./listHeader.ts";

export type SeedSnapshot = {
  /** When the box committed it, milliseconds since 1970. */
  readonly receivedMs: number;
  /** The snapshot object (section 8). */
  readonly object: Uint8Array;
};

/** One row. */
export function encodeSnapshotRow({ receivedMs, object }: SeedSnapshot): Buffer {
  if (object.length > limits.snapshotBytesMax) throw new RangeError(`a snapshot of ${object.length} bytes`);
  const header = Buffer.alloc(Width.seedSnapshotHeader);
  header.writeBigUInt64LE(BigInt(receivedMs), 0);
  header.writeUInt32LE(object.length, 8);
  return Buffer.concat([header, object]);
}

/**
 * Snapshots of a list that comes in pieces of any length, in order. The objects are not looked into.
 * @throws HoldfastError truncated, corrupt, limit-exceeded, unsupported; what `pieces` throws
 */
export async function* readSnapshotList(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<SeedSnapshot, void, undefined> {
  let rest = Buffer.alloc(0);
  let left: number | undefined;
  for await (const piece of pieces) {
    rest = Buffer.concat([rest, piece]);
    let at = 0;
    if (left === undefined) {
      if (rest.length < Width.seedListHeader) continue;
      left = parseListHeader(rest, SeedListType.snapshots);
      at = Width.seedListHeader;
    }
    while (rest.length - at >= Width.seedSnapshotHeader) {
      if (left === 0) throw tooLong();
      const { receivedMs, length } = parseRowHeader(rest, at);
      const start = at + Width.seedSnapshotHeader;
      if (rest.length - start < length) break;
      left--;
      yield { receivedMs, object: Buffer.from(rest.subarray(start, start + length)) };
      at = start + length;
    }
    rest = rest.subarray(at);
  }
  if (left === undefined || left > 0) {
    throw new HoldfastError(ErrorCode.truncated, "a list of snapshots is cut short");
  }
  if (rest.length > 0) throw tooLong();
}

function tooLong(): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, "a list of snapshots is longer than it states");
}

/** The latest time that a Date can say. */
const timeMsMax = 8_640_000_000_000_000n;

function parseRowHeader(bytes: Uint8Array, at: number): { receivedMs: number; length: number } {
  const view = asBuffer(bytes);
  const receivedMs = view.readBigUInt64LE(at);
  const length = view.readUInt32LE(at + 8);
  if (receivedMs > timeMsMax) throw new HoldfastError(ErrorCode.corrupt, "a snapshot of no time");
  if (length > limits.snapshotBytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `a snapshot of ${length} bytes`);
  }
  return { receivedMs: Number(receivedMs), length };
}
