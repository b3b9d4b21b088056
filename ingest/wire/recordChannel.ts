// Frames of a record channel (docs/protocol.md, Record channels): requests `ticket ‖ group ‖ n ‖ ids` one way, answers
// `ticket ‖ index ‖ length ‖ record` the other; for a record that is promised the number of the box in its place.
//
// Invariant: a declared number or length is checked before room is made for it; each parser holds at most one frame.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { wireLimits } from "./protocol.ts";
import { promisedBy, type ReadResult, ReadSign, resultOfSign } from "./readStream.ts";
import { lengthBytes } from "./recordBody.ts";

/** What the Upgrade header names, with the version of the frames. */
export const channelProtocol = "holdfast-records/1";

export const channelLimits = {
  /** Requests of a channel that are answered at a time ... */
  answersAtOnce: 4,
  /** ... and those that may wait before no more is read from it. */
  requestsWaiting: 32,
  perPrincipal: 16,
  inAll: 128,
  idleMs: 75_000,
} as const;

/** Of both frames: three numbers. */
export const channelHeadBytes = 12;

export type ChannelRequest = { readonly ticket: number; readonly group: number; readonly ids: Buffer };

/** A request as it is sent. */
export function encodeChannelRequest(ticket: number, group: number, ids: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(channelHeadBytes + ids.length * Width.id);
  writeHead(bytes, ticket, group, ids.length);
  for (const [index, id] of ids.entries()) bytes.set(id, channelHeadBytes + index * Width.id);
  return bytes;
}

/** What comes before a record, or instead of one. `length`: of the record, or a sign. */
export function encodeAnswerHead(ticket: number, index: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(channelHeadBytes);
  writeHead(bytes, ticket, index, length);
  return bytes;
}

function writeHead(bytes: Buffer, first: number, second: number, third: number): void {
  bytes.writeUInt32LE(first, 0);
  bytes.writeUInt32LE(second, 4);
  bytes.writeUInt32LE(third, 8);
}

/** Collects the three numbers that a frame begins with. */
class Head {
  readonly bytes = Buffer.alloc(channelHeadBytes);
  #filled = 0;

  /** Takes bytes from `at` on; returns how many. Call until `isWhole`. */
  take(from: Uint8Array, at: number): number {
    const count = Math.min(channelHeadBytes - this.#filled, from.length - at);
    this.bytes.set(from.subarray(at, at + count), this.#filled);
    this.#filled += count;
    return count;
  }

  get isWhole(): boolean {
    return this.#filled === channelHeadBytes;
  }

  next(): void {
    this.#filled = 0;
  }
}

/** Splits what an asker sends into requests. */
export class ChannelRequestParser {
  readonly #head = new Head();
  #ids: Buffer | undefined;
  #filled = 0;

  /** The requests that these bytes complete. Their ids are memory of their own. @throws HoldfastError limit-exceeded, corrupt */
  push(bytes: Uint8Array): ChannelRequest[] {
    const requests: ChannelRequest[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#ids === undefined) {
        at += this.#head.take(bytes, at);
        if (!this.#head.isWhole) break;
        this.#ids = Buffer.allocUnsafe(checkedCount(this.#head.bytes.readUInt32LE(8)) * Width.id);
        this.#filled = 0;
      }
      const ids = this.#ids;
      const count = Math.min(ids.length - this.#filled, bytes.length - at);
      ids.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < ids.length) break;
      const head = this.#head.bytes;
      requests.push({ ticket: head.readUInt32LE(0), group: head.readUInt32LE(4), ids });
      this.#ids = undefined;
      this.#head.next();
    }
    return requests;
  }
}

function checkedCount(count: number): number {
  if (count > wireLimits.idsPerRead) {
    const text = `${count} ids in one request, at most ${wireLimits.idsPerRead}`;
    throw new HoldfastError(ErrorCode.limitExceeded, text);
  }
  if (count === 0) throw new HoldfastError(ErrorCode.corrupt, "a request for no records");
  return count;
}

export type AnswerTaker = {
  /** Looked at before room is made for a record. @throws HoldfastError where nobody waits for this answer */
  readonly expect: (ticket: number, index: number) => void;
  readonly memory: (bytes: number) => Buffer;
  readonly take: (ticket: number, index: number, result: ReadResult) => void;
};

/** Splits what a gateway sends into results. */
export class ChannelAnswerParser {
  readonly #taker: AnswerTaker;
  readonly #head = new Head();
  #record: Buffer | undefined;
  /** It is the number of a box. */
  #isPromised = false;
  #filled = 0;

  constructor(taker: AnswerTaker) {
    this.#taker = taker;
  }

  /** Hands over what these bytes complete. @throws HoldfastError limit-exceeded, corrupt; what `expect` throws */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#record === undefined) {
        at += this.#head.take(bytes, at);
        if (!this.#head.isWhole) return;
        if (!this.#begin()) continue;
      }
      const record = this.#record as unknown as Buffer;
      const count = Math.min(record.length - this.#filled, bytes.length - at);
      record.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < record.length) return;
      this.#record = undefined;
      this.#taken(this.#isPromised ? promisedBy(record.readUInt32LE(0)) : { state: "record", record });
    }
  }

  /** Whether a record, or the number of a box, follows the head. */
  #begin(): boolean {
    const head = this.#head.bytes;
    const length = head.readUInt32LE(8);
    this.#taker.expect(head.readUInt32LE(0), head.readUInt32LE(4));
    this.#isPromised = length === ReadSign.promised;
    const sign = this.#isPromised ? undefined : resultOfSign(length);
    if (sign !== undefined) {
      this.#taken(sign);
      return false;
    }
    this.#record = this.#isPromised ? Buffer.alloc(lengthBytes) : this.#taker.memory(length);
    this.#filled = 0;
    return true;
  }

  #taken(result: ReadResult): void {
    const head = this.#head.bytes;
    this.#head.next();
    this.#taker.take(head.readUInt32LE(0), head.readUInt32LE(4), result);
  }
}
