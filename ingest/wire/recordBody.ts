// The body of `records`: `u32 length ‖ record` repeated. Lengths are checked before anybody makes room for them.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { recordBytesMin } from "./protocol.ts";

/** Width of the length before each record. */
export const lengthBytes = 4;

/**
 * The declared length of the record whose length field is at `at`, or undefined when the field is not yet there.
 * @throws HoldfastError limit-exceeded or corrupt for a length that no record has
 */
export function declaredLength(bytes: Buffer, at: number, end: number): number | undefined {
  if (end - at < lengthBytes) return undefined;
  const length = bytes.readUInt32LE(at);
  if (length > limits.recordBytesMax) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `a record of ${length} bytes is declared, at most ${limits.recordBytesMax}`,
    );
  }
  if (length < recordBytesMin) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `a record of ${length} bytes is declared, at least ${recordBytesMin}`,
    );
  }
  return length;
}

/** A body of the given records as a list of buffers; the records are not copied. */
export function encodeRecordBody(records: readonly Uint8Array[]): Uint8Array[] {
  const lengths = Buffer.allocUnsafe(records.length * lengthBytes);
  const body: Uint8Array[] = [];
  for (let i = 0; i < records.length; i++) {
    lengths.writeUInt32LE(records[i]!.length, i * lengthBytes);
    body.push(lengths.subarray(i * lengthBytes, (i + 1) * lengthBytes), records[i]!);
  }
  return body;
}
