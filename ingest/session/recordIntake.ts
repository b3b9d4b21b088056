// Takes the body of one `records` request as it arrives, splits it into records and hands them on in batches.
//
// Invariants
// - Memory: at most `slabsPerBody` slabs at a time; bytes are copied once, into a slab, and a batch is views of it.
// - A declared length is checked before room is made for it.
// - A slab that is being filled is given up when others have waited for memory and it did not fill in a minute.
// - Batches are handed on in the order of the body. A slab is given back when its batch has settled.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { wireLimits } from "../wire/protocol.ts";
import { declaredLength, lengthBytes } from "../wire/recordBody.ts";
import type { RecordsAnswer } from "../wire/recordStatus.ts";
import type { BatchAnswer } from "./admission.ts";
import type { SlabPool } from "./slabPool.ts";

/** The slab that is being filled and two that are being stored. */
const slabsPerBody = 3;
/** Records of one batch, so that many tiny ones do not stall other sessions. */
const batchRecordsMax = 8192;
const smallestSlab = 64 * 1024;
/** A body of more than this part of a usual slab takes one: those are kept, another size would be fresh memory each time. */
const usualFrom = 1 / 4;

export type IntakePort = {
  readonly slabs: SlabPool;
  /** Decides and stores a batch (Admission.admit with the session's group, writer and epoch). */
  admit(records: readonly Buffer[]): Promise<BatchAnswer>;
};

export class RecordIntake {
  readonly #port: IntakePort;
  readonly #slabBytes: number;
  readonly #signal: AbortSignal;
  #slab: Buffer | undefined;
  #filled = 0;
  /** Where the next record's length field is. */
  #next = 0;
  #records: Buffer[] = [];
  readonly #answers: Promise<BatchAnswer>[] = [];
  readonly #unsettled = new Set<Promise<void>>();
  #failure: unknown;
  #bytes = 0;
  /** Told when the body is to be given up; then `abandon`. */
  onGiveWay: ((error: HoldfastError) => void) | undefined;

  /** `contentLength`: bytes of the body where the client said so; small bodies take small slabs. */
  constructor(port: IntakePort, contentLength: number | undefined, signal: AbortSignal) {
    this.#port = port;
    this.#signal = signal;
    const usual = port.slabs.slabBytes;
    const small = contentLength !== undefined && contentLength <= usual * usualFrom;
    this.#slabBytes = small ? Math.min(Math.max(contentLength, smallestSlab), usual) : usual;
    if (usual < limits.recordBytesMax + lengthBytes) {
      throw new Error("RecordIntake: a slab is smaller than the largest record");
    }
  }

  /**
   * Takes the next bytes of the body. When it returns a promise, wait for it before the next call.
   * @throws HoldfastError (also through the promise) limit-exceeded, corrupt; what stopped an earlier batch
   */
  push(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    this.#bytes += chunk.length;
    if (this.#bytes > wireLimits.recordsBytes) {
      throw new HoldfastError(
        ErrorCode.limitExceeded,
        `a body of more than ${wireLimits.recordsBytes} bytes`,
      );
    }
    const slab = this.#slab;
    if (slab === undefined || slab.length - this.#filled < chunk.length) return this.#pushSlowly(chunk);
    chunk.copy(slab, this.#filled);
    this.#filled += chunk.length;
    this.#split(slab);
    return undefined;
  }

  async #pushSlowly(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const slab = this.#slab ?? (await this.#firstSlab());
      const take = Math.min(slab.length - this.#filled, chunk.length - at);
      chunk.copy(slab, this.#filled, at, at + take);
      this.#filled += take;
      at += take;
      this.#split(slab);
      if (this.#filled === slab.length) await this.#turnOver();
    }
  }

  async #firstSlab(): Promise<Buffer> {
    const slab = await this.#port.slabs.acquire(this.#slabBytes, this.#signal);
    this.#fill(slab);
    return slab;
  }

  /** Goes on in this slab. */
  #fill(slab: Buffer): void {
    this.#slab = slab;
    this.#port.slabs.hold(slab, () => {
      if (this.#slab !== slab) return;
      const error = new HoldfastError(
        ErrorCode.busy,
        "the body comes too slowly while others wait for memory",
        {
          next: "Send it again: what of it was whole is stored.",
        },
      );
      this.#failure ??= error;
      this.onGiveWay?.(error);
    });
  }

  /** Finds the records that are whole now. */
  #split(slab: Buffer): void {
    for (;;) {
      const length = declaredLength(slab, this.#next, this.#filled);
      if (length === undefined || this.#filled - this.#next - lengthBytes < length) return;
      const start = this.#next + lengthBytes;
      this.#records.push(slab.subarray(start, start + length));
      this.#next = start + length;
    }
  }

  /** Hands the slab's records on and goes on in a new slab with the bytes that are left. */
  async #turnOver(): Promise<void> {
    const full = this.#slab!;
    // A record that no slab of this body can hold was declared longer than the body said.
    if (this.#next === 0 && full.length < this.#port.slabs.slabBytes) {
      throw new HoldfastError(ErrorCode.corrupt, "the body is longer than its Content-Length");
    }
    const records = this.#records;
    this.#records = [];
    const left = this.#filled - this.#next;
    // Never wait for a second slab while holding one: all bodies together could then wait for ever.
    const fresh =
      this.#unsettled.size < slabsPerBody - 1 ? this.#port.slabs.tryAcquire(this.#slabBytes) : undefined;
    if (fresh !== undefined) {
      full.copy(fresh, 0, this.#next, this.#filled);
      void this.#handOn(records, full);
      this.#fill(fresh);
    } else {
      await this.#handOn(records, undefined);
      full.copyWithin(0, this.#next, this.#filled);
      this.#fill(full);
    }
    this.#filled = left;
    this.#next = 0;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Hands records on; resolves when they have settled, and then gives `slab` back. */
  #handOn(records: readonly Buffer[], slab: Buffer | undefined): Promise<void> {
    const work: Promise<BatchAnswer>[] = [];
    for (let at = 0; at < records.length; at += batchRecordsMax) {
      work.push(this.#port.admit(records.slice(at, at + batchRecordsMax)));
    }
    this.#answers.push(...work);
    const settled = Promise.allSettled(work).then((results) => {
      if (slab !== undefined) this.#port.slabs.release(slab);
      this.#unsettled.delete(settled);
      for (const result of results) {
        if (result.status === "rejected") this.#failure ??= result.reason;
        else if (result.value.malformed !== undefined) this.#failure ??= result.value.malformed;
      }
    });
    this.#unsettled.add(settled);
    return settled;
  }

  #handOnRest(): void {
    const slab = this.#slab;
    const records = this.#records;
    this.#slab = undefined;
    this.#records = [];
    if (slab !== undefined) void this.#handOn(records, slab);
  }

  /**
   * The body has ended: resolves with the answer when everything of it is durable.
   * @throws HoldfastError truncated for a record cut short; what made a batch fail
   */
  async finish(): Promise<RecordsAnswer> {
    const rest = this.#filled - this.#next;
    this.#handOnRest();
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure;
    if (rest > 0) throw new HoldfastError(ErrorCode.truncated, "the body ends within a record");
    const answers = await Promise.all(this.#answers);
    const missing = new Map<string, Buffer>();
    for (const id of answers.flatMap((answer) => answer.missing)) {
      if (missing.size < wireLimits.missingPerRecords) missing.set(id.toString("latin1"), id);
    }
    return {
      statuses: Buffer.concat(answers.map((answer) => answer.statuses)),
      missing: [...missing.values()],
    };
  }

  /** The request failed: what is whole is still stored, memory is given back. Resolves when nothing is in flight. */
  async abandon(): Promise<void> {
    this.#handOnRest();
    await this.settle();
  }

  /** Resolves when all batches that were handed on have settled. */
  async settle(): Promise<void> {
    await Promise.all(this.#unsettled);
  }
}
