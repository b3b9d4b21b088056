// The bytes of a whole pack that is in replicas alone, for those who copy packs and not records.

import { Width } from "../../vault/magic.ts";
import type { PackRow } from "../index/packTable.ts";
import { type Elsewhere, isProven } from "./evictedRecords.ts";

/** Bytes between records are read in pieces of this length. */
const pieceBytesMax = 2 ** 20;

/**
 * Bytes `first` to `last` (inclusive) of an evicted pack, in order. Records and their frames are proven by the trailer, which is local like the header and the
 * footer; only what lies between records (damage of long ago) is handed out as the replica has it.
 * @throws HoldfastError replica-unreachable, replica-refused, replica-damaged, io-error
 */
export async function* readEvictedPack(
  { tails, remote }: Elsewhere,
  pack: PackRow,
  first: number,
  last: number,
): AsyncGenerator<Buffer, void, undefined> {
  const tail = await tails.get(pack, () => remote.tail(pack));
  const trailerAt = pack.bytes - (tail.bytes.length - Width.packHeader);
  const part = (bytes: Buffer, start: number): Buffer =>
    bytes.subarray(Math.max(0, first - start), Math.min(bytes.length, last + 1 - start));
  for (let at = first; at <= last; ) {
    if (at < Width.packHeader) {
      yield part(tail.bytes.subarray(0, Width.packHeader), 0);
      at = Width.packHeader;
      continue;
    }
    if (at >= trailerAt) {
      yield part(tail.bytes.subarray(Width.packHeader), trailerAt);
      return;
    }
    const record = tail.recordFrom(at);
    const frameAt = record === undefined ? trailerAt : record.offset - Width.frame;
    const isRecord = record !== undefined && at >= frameAt;
    const start = isRecord ? frameAt : at;
    const end = isRecord ? record.offset + record.length : Math.min(frameAt, at + pieceBytesMax);
    const bytes = Buffer.allocUnsafeSlow(end - start);
    const accept = (): boolean =>
      !isRecord ||
      isProven(bytes, { pack: pack.ordinal, offset: record.offset, length: record.length }, tail);
    await remote.read(pack, [bytes], start, accept);
    yield part(bytes, start);
    at = end;
  }
}
