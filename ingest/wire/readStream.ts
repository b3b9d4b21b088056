// The answer of `read`: per id, in the order asked, `u32 length ‖ record`; four lengths are signs instead, one of which a u32 follows.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { recordBytesMin } from "./protocol.ts";
import { lengthBytes } from "./recordBody.ts";

/** Lengths that stand for no record. */
export const ReadSign = {
  missing: 0,
  damaged: 0xffff_ffff,
  unavailable: 0xffff_fffe,
  /** The number of the box follows; 0 at a box to restore from, where the record was left out. */
  promised: 0xffff_fffd,
} as const;

const stateOf = new Map<number, "missing" | "damaged" | "unavailable">([
  [ReadSign.missing, "missing"],
  [ReadSign.damaged, "damaged"],
  [ReadSign.unavailable, "unavailable"],
]);

/** What one id of a `read` brought: the sealed record, or why there is none. */
export type ReadResult =
  | { readonly state: "record"; readonly record: Buffer }
  | { readonly state: "missing" }
  | { readonly state: "damaged" }
  /** In a replica alone, which does not answer now. */
  | { readonly state: "unavailable" }
  /** On the box of this number, which is on its way. */
  | { readonly state: "promised"; readonly box: number }
  /** This gateway is a box to restore from, where it was left out. */
  | { readonly state: "leftOut" };

/** The length field before a record, or a sign. */
export function encodeReadLength(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  bytes.writeUInt32LE(length, 0);
  return bytes;
}

/** What the number behind the sign `promised` says. */
export function promisedBy(box: number): ReadResult {
  return box === 0 ? { state: "leftOut" } : { state: "promised", box };
}

/** The answer for a record that a box brings; 0 for one that was left out here. */
export function encodePromised(box: number): Buffer {
  return Buffer.concat([encodeReadLength(ReadSign.promised), encodeReadLength(box)]);
}

/**
 * The result that a length field stands for; undefined for a record of so many bytes.
 * @throws HoldfastError limit-exceeded, corrupt for lengths that no record has
 */
export function resultOfSign(length: number): ReadResult | undefined {
  const state = stateOf.get(length);
  if (state !== undefined) return { state };
  if (length > limits.recordBytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `the gateway declares a record of ${length} bytes`);
  }
  if (length < recordBytesMin) {
    throw new HoldfastError(ErrorCode.corrupt, `the gateway declares a record of ${length} bytes`);
  }
  return undefined;
}

/**
 * Splits the answer's bytes into results as they arrive. Holds at most one record; a declared length is checked
 * before room is made. `finish` tells whether every id was answered.
 */
export class ReadStreamParser {
  readonly #count: number;
  readonly #length = Buffer.alloc(lengthBytes);
  #lengthFilled = 0;
  /** The next four bytes are the number of a box. */
  #isPromised = false;
  #record: Buffer | undefined;
  #recordFilled = 0;
  #answered = 0;

  /** `count`: ids that were asked for. */
  constructor(count: number) {
    this.#count = count;
  }

  /**
   * Takes the next bytes of the body and returns the results that they complete, in order.
   * @throws HoldfastError limit-exceeded, corrupt, protocol
   */
  push(bytes: Uint8Array): ReadResult[] {
    const results: ReadResult[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#answered === this.#count) {
        throw new HoldfastError(ErrorCode.protocol, "the gateway answers more ids than were asked for");
      }
      if (this.#record === undefined) {
        const take = Math.min(lengthBytes - this.#lengthFilled, bytes.length - at);
        this.#length.set(bytes.subarray(at, at + take), this.#lengthFilled);
        this.#lengthFilled += take;
        at += take;
        if (this.#lengthFilled < lengthBytes) break;
        this.#lengthFilled = 0;
        const sign = this.#start(this.#length.readUInt32LE(0));
        if (sign !== undefined) results.push(sign);
        continue;
      }
      const take = Math.min(this.#record.length - this.#recordFilled, bytes.length - at);
      this.#record.set(bytes.subarray(at, at + take), this.#recordFilled);
      this.#recordFilled += take;
      at += take;
      if (this.#recordFilled === this.#record.length) {
        results.push({ state: "record", record: this.#record });
        this.#record = undefined;
        this.#answered++;
      }
    }
    return results;
  }

  #start(length: number): ReadResult | undefined {
    if (this.#isPromised) {
      this.#isPromised = false;
      this.#answered++;
      return promisedBy(length);
    }
    if (length === ReadSign.promised) {
      this.#isPromised = true;
      return undefined;
    }
    const sign = resultOfSign(length);
    if (sign !== undefined) {
      this.#answered++;
      return sign;
    }
    this.#record = Buffer.allocUnsafeSlow(length);
    this.#recordFilled = 0;
    return undefined;
  }

  /** @throws HoldfastError truncated when the body ended before every id was answered */
  finish(): void {
    if (this.#answered !== this.#count || this.#lengthFilled > 0 || this.#record !== undefined) {
      throw new HoldfastError(
        ErrorCode.truncated,
        `the gateway's answer ends after ${this.#answered} of ${this.#count} ids`,
      );
    }
  }
}
