// Decides for each uploaded record of a vault: store it, say that it is there, or have it wait for its references.
//
// Invariants
// - Closure: a record goes to the store only when each of its references is live or promised by a box, or goes to the store before it (then
//   the store's order and its rule that a failure takes everything queued behind it keep the order in what is accepted).
// - A status is answered only when everything it rests on is durable: also "was already there" for a record that another
//   session is just storing.
// - Deciding and queueing are one synchronous step, so no other decision comes between.
// - The number of records and references that are queued is bounded; who comes later waits.

import { hasDuplicates } from "../../vault/duplicateRefs.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { Compression, RecordType, Width } from "../../vault/magic.ts";
import { parseRecordHeader, type RecordHeader } from "../../vault/record.ts";
import { idAt } from "../wire/idList.ts";
import { wireLimits } from "../wire/protocol.ts";
import { RecordStatus } from "../wire/recordStatus.ts";

/** A record that may be stored. */
export type AdmittedRecord = {
  /** A view that stays until `accept` or `reject`. */
  readonly record: Buffer;
  readonly header: RecordHeader;
  /** The first 16 bytes of the record's SHA-256, where this process has taken it already. */
  readonly hash16?: Buffer | undefined;
  /** Per reference the ordinal of its record, or undefined when that record is queued before this one. */
  readonly refs: readonly (number | undefined)[];
};

/** A run of records of one writer, in order. Exactly one of the two is called. */
export type AdmittedBatch = {
  readonly group: number;
  /** Device id, 16 bytes. */
  readonly writer: Buffer;
  readonly records: readonly AdmittedRecord[];
  /** All records are durable and can be looked up. */
  accept(): void;
  /** None of them counts, nor does anything that was queued behind them. */
  reject(error: HoldfastError): void;
};

/** Where admitted records go. */
export interface AdmissionStore {
  /** Ordinals of live records for ids of 32 bytes one after the other; undefined where there is none. */
  findLive(group: number, ids: Buffer): readonly (number | undefined)[];
  /** The same for ids whose sender is told that they are here. */
  findPresent(group: number, ids: Buffer): readonly (number | undefined)[];
  /** The same for ids that a record is to rest on: what is promised counts, and has an ordinal from now on. */
  rely(group: number, ids: Buffer): readonly (number | undefined)[];
  /** Queues a batch. Batches are accepted in this order. An empty batch is accepted when all before it are. */
  store(batch: AdmittedBatch): void;
  /** Resolves when records may be queued (memory, disk). @throws HoldfastError disk-full */
  room(): Promise<void>;
}

export type UploadedBatch = {
  readonly group: number;
  readonly writer: Buffer;
  /** Views that stay until the answer; children before parents. */
  readonly records: readonly Buffer[];
  /** Per record `AdmittedRecord.hash16`; views like `records`. */
  readonly hashes?: readonly Buffer[] | undefined;
  /** Newest key epoch of the vault. */
  readonly epochMax: number;
  /** What is sealed in an older one is refused, 1 unless given: an upload seals in the newest, what a box brings was sealed before. */
  readonly epochMin?: number | undefined;
};

export type BatchAnswer = {
  /** `RecordStatus` of each record. */
  readonly statuses: Uint8Array;
  /** Bytes of content that was stored, and those of them in records that compression did not shrink. */
  readonly stored: { readonly bytes: number; readonly rawBytes: number };
  /** Copies of ids that refused records refer to. */
  readonly missing: readonly Buffer[];
  /** The first record that is malformed: those before it are stored, `statuses` covers only them. */
  readonly malformed?: HoldfastError;
};

const queuedRecordsMax = 65_536;
const queuedRefsMax = 700_000;

export class Admission {
  readonly #store: AdmissionStore;
  /** Group and id of records that are queued, to tell them from missing ones. */
  readonly #queued = new Set<string>();
  #queuedRefs = 0;
  #turn: Promise<void> = Promise.resolve();
  #roomMade: (() => void)[] = [];

  constructor(store: AdmissionStore) {
    this.#store = store;
  }

  /**
   * Decides a batch; resolves when everything that is answered is durable.
   * @throws HoldfastError disk-full, io-error, cancelled: then nothing of it counts
   */
  async admit(batch: UploadedBatch): Promise<BatchAnswer> {
    const headers: RecordHeader[] = [];
    let malformed: HoldfastError | undefined;
    for (const record of batch.records) {
      try {
        const header = checkRecord(record, batch.epochMax);
        if (header.keyEpoch < (batch.epochMin ?? 1)) throw olderEpoch(header.keyEpoch, batch.epochMax);
        headers.push(header);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        malformed = error;
        break;
      }
    }
    // Turns keep the order of batches where one of them has to wait for room.
    let answer: Promise<BatchAnswer> | undefined;
    const turn = this.#turn.then(async () => {
      await this.#room();
      answer = this.#decide(batch, headers);
      // Awaited below by this batch's own caller.
      answer.catch(() => {});
    });
    this.#turn = turn.catch(() => {});
    await turn;
    const decided = await (answer as Promise<BatchAnswer> | undefined)!;
    return malformed === undefined ? decided : { ...decided, malformed };
  }

  async #room(): Promise<void> {
    while (this.#queued.size >= queuedRecordsMax || this.#queuedRefs >= queuedRefsMax) {
      await new Promise<void>((resolve) => this.#roomMade.push(resolve));
    }
    await this.#store.room();
  }

  #decide(batch: UploadedBatch, headers: readonly RecordHeader[]): Promise<BatchAnswer> {
    const { group } = batch;
    const statuses = new Uint8Array(headers.length);
    const missing = new Map<string, Buffer>();
    const admitted: AdmittedRecord[] = [];
    const keys: string[] = [];
    /** Ids of records that another batch is just storing. */
    const elsewhere: Buffer[] = [];
    let refCount = 0;
    const stored = { bytes: 0, rawBytes: 0 };
    const own = this.#store.findPresent(group, Buffer.concat(headers.map((header) => header.id)));
    const live = this.#store.findLive(group, Buffer.concat(headers.map((header) => header.refs)));
    let refAt = 0;
    for (let i = 0; i < headers.length; i++) {
      const header = headers[i]!;
      const firstRef = refAt;
      refAt += header.refCount;
      const key = keyOf(group, header.id, 0);
      if (own[i] !== undefined || this.#queued.has(key)) {
        statuses[i] = RecordStatus.present;
        if (own[i] === undefined) elsewhere.push(header.id);
        continue;
      }
      const refs = live.slice(firstRef, refAt);
      if (!this.#resolve(group, header, refs, missing)) {
        statuses[i] = RecordStatus.waits;
        continue;
      }
      admitted.push({ record: batch.records[i]!, header, hash16: batch.hashes?.[i], refs });
      this.#queued.add(key);
      keys.push(key);
      refCount += header.refCount;
      if (header.type !== RecordType.data) continue;
      stored.bytes += header.recordLength;
      if (header.compression === Compression.stored) stored.rawBytes += header.recordLength;
    }
    this.#queuedRefs += refCount;
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        for (const key of keys) this.#queued.delete(key);
        this.#queuedRefs -= refCount;
        const waiting = this.#roomMade;
        this.#roomMade = [];
        for (const resume of waiting) resume();
      };
      this.#store.store({
        group,
        writer: batch.writer,
        records: admitted,
        accept: () => {
          forget();
          // They are stored now: whoever is told so is told like others.
          if (elsewhere.length > 0) this.#store.findPresent(group, Buffer.concat(elsewhere));
          resolve({ statuses, stored, missing: [...missing.values()] });
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      });
    });
  }

  /** Whether all references are live, queued, or promised, which gives them an ordinal in `refs`; those that are not are noted. */
  #resolve(
    group: number,
    header: RecordHeader,
    refs: (number | undefined)[],
    missing: Map<string, Buffer>,
  ): boolean {
    const places: number[] = [];
    for (let i = 0; i < refs.length; i++) {
      if (refs[i] === undefined && !this.#queued.has(keyOf(group, header.refs, i))) places.push(i);
    }
    if (places.length === 0) return true;
    const relied = this.#store.rely(group, Buffer.concat(places.map((i) => idAt(header.refs, i))));
    let complete = true;
    for (const [at, i] of places.entries()) {
      refs[i] = relied[at];
      if (refs[i] !== undefined) continue;
      complete = false;
      const key = keyOf(group, header.refs, i);
      if (missing.size < wireLimits.missingPerRecords && !missing.has(key)) {
        missing.set(key, Buffer.from(idAt(header.refs, i)));
      }
    }
    return complete;
  }
}

function keyOf(group: number, ids: Buffer, index: number): string {
  return `${group}:${ids.toString("latin1", index * Width.id, (index + 1) * Width.id)}`;
}

/** What was sealed before the vault's keys were rotated, and comes after that. */
export function olderEpoch(epoch: number, current: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.keysRotated,
    `sealed in key epoch ${epoch}, and the vault is at ${current}: its keys were rotated meanwhile`,
    {
      next: "Run the backup again: it takes the new keys, and what was uploaded counts.",
      detail: { epoch: current },
    },
  );
}

/**
 * What a gateway can check without keys.
 * @throws HoldfastError truncated, corrupt, unsupported, limit-exceeded
 */
export function checkRecord(record: Buffer, epochMax: number): RecordHeader {
  const header = parseRecordHeader(record);
  if (header.recordLength !== record.length || record.length > limits.recordBytesMax) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `a record of ${record.length} bytes whose header says ${header.recordLength}`,
    );
  }
  if (header.type === RecordType.partial) {
    throw new HoldfastError(ErrorCode.unsupported, "records of type 5 need the feature partial-1");
  }
  if (header.keyEpoch > epochMax) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `a record of key epoch ${header.keyEpoch}, the vault is at ${epochMax}`,
    );
  }
  if (hasDuplicates(header.refs)) {
    throw new HoldfastError(ErrorCode.corrupt, "a record in which a reference stands twice");
  }
  return header;
}
