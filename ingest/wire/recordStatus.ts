// The answer of `records`: `u32 count ‖ count × u8 status ‖ u32 m ‖ m × 32-byte ids` that are missing.

import { ByteReader } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { wireLimits } from "./protocol.ts";

/** What became of one record. */
export const RecordStatus = {
  stored: 0,
  /** Was already there. */
  present: 1,
  /** Refers to a record that is not here: send that first and this again. */
  waits: 2,
} as const;
export type RecordStatus = (typeof RecordStatus)[keyof typeof RecordStatus];

export type RecordsAnswer = {
  /** One `RecordStatus` per record of the body, in its order. */
  readonly statuses: Uint8Array;
  /** Ids of 32 bytes that refused records refer to; at most `wireLimits.missingPerRecords`. */
  readonly missing: readonly Uint8Array[];
};

export function encodeRecordsAnswer(answer: RecordsAnswer): Buffer {
  const { statuses, missing } = answer;
  const bytes = Buffer.allocUnsafe(4 + statuses.length + 4 + missing.length * Width.id);
  bytes.writeUInt32LE(statuses.length, 0);
  bytes.set(statuses, 4);
  let at = 4 + statuses.length;
  at = bytes.writeUInt32LE(missing.length, at);
  for (const id of missing) {
    bytes.set(id, at);
    at += Width.id;
  }
  return bytes;
}

/**
 * Parses an answer for `count` records.
 * @throws HoldfastError truncated, corrupt; protocol when it answers another number of records or lists too many ids
 */
export function parseRecordsAnswer(bytes: Buffer, count: number): RecordsAnswer {
  const reader = new ByteReader(bytes);
  const answered = reader.u32();
  if (answered !== count) {
    throw new HoldfastError(
      ErrorCode.protocol,
      `the gateway answers ${answered} records, ${count} were sent`,
    );
  }
  const statuses = Buffer.from(reader.bytes(count));
  for (const status of statuses) {
    if (status > RecordStatus.waits) {
      throw new HoldfastError(
        ErrorCode.protocol,
        `the gateway answers a record with the unknown status ${status}`,
      );
    }
  }
  const missingCount = reader.u32();
  if (missingCount > wireLimits.missingPerRecords) {
    throw new HoldfastError(ErrorCode.protocol, `the gateway lists ${missingCount} missing ids`);
  }
  const missing: Buffer[] = [];
  for (let i = 0; i < missingCount; i++) missing.push(Buffer.from(reader.bytes(Width.id)));
  reader.end();
  return { statuses, missing };
}
