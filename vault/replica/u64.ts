// Lengths, counts and times as u64: what is 2^53 or more is no such number.
import { ErrorCode, HoldfastError } from "../errors.ts";

/** The 8 bytes of an integer below 2^53. Any other number is a RangeError. */
export function u64(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not an integer: ${value}`);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** The integer at `at`. @throws HoldfastError corrupt from 2^53 on */
export function readU64(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32LE(at + 4);
  if (high >= 2 ** 21) throw new HoldfastError(ErrorCode.corrupt, "a number of 2^53 or more");
  return high * 2 ** 32 + bytes.readUInt32LE(at);
}
