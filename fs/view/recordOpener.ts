// Reads, verifies and opens records of one vault and group, each once at a time and through a bounded cache.
//
// Invariants: a record that was handed out was proven by its seal and its id; a failure is never cached; ids that are
// asked for in one turn of the event loop go to the source in one request.

import { setImmediate as nextTurn } from "node:timers/promises";
import { asBuffer, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { type IdTaker, openRecord } from "../../vault/record.ts";
import { type OpenedRecord, PlaintextCache } from "./plaintextCache.ts";
import type { RecordResult, RecordSource } from "./ports.ts";

const MiB = 1024 * 1024;
/** Data records may be 4 MiB each: an answer is at most about 64 MiB. */
const idsPerRead = 16;
const pageIdsPerRead = 256;

/** The caches that all vaults of a view share. */
export type PlaintextCaches = { readonly data: PlaintextCache; readonly pages: PlaintextCache };

/** 64 MiB of file content and 16 MiB of directory and extent pages, unless other bounds are given. */
export function createCaches(dataBytes = 64 * MiB, pageBytes = 16 * MiB): PlaintextCaches {
  return { data: new PlaintextCache(dataBytes), pages: new PlaintextCache(pageBytes) };
}

type Flight = {
  readonly id: Buffer;
  readonly type: RecordType;
  readonly promise: Promise<OpenedRecord>;
  readonly resolve: (record: OpenedRecord) => void;
  readonly reject: (error: unknown) => void;
};

export type RecordOpenerOptions = {
  readonly source: RecordSource;
  readonly keys: VaultKeys;
  readonly group: number;
  readonly caches: PlaintextCaches;
};

export class RecordOpener {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly #source: RecordSource;
  readonly #caches: PlaintextCaches;
  readonly #vaultId: string;
  readonly #prefix: string;
  readonly #flights = new Map<string, Flight>();
  #queue: Flight[] = [];

  constructor(options: RecordOpenerOptions) {
    this.#source = options.source;
    this.keys = options.keys;
    this.group = options.group;
    this.#caches = options.caches;
    this.#vaultId = toHex(options.keys.vaultId);
    this.#prefix = cachePrefix(this.#vaultId, options.group);
  }

  /**
   * The opened record. `signal` ends the waiting, not the request, which others may share.
   * @throws HoldfastError chunk-missing, chunk-damaged, cancelled, vault-locked, and what the source fails with
   */
  async open(id: Uint8Array, type: RecordType, signal?: AbortSignal): Promise<OpenedRecord> {
    const key = this.#key(id);
    const known = this.#cacheOf(type).get(key);
    if (known !== undefined) return known;
    return unlessAborted(this.#flight(key, id, type).promise, signal);
  }

  /** The opened record, if it is in memory. */
  opened(id: Uint8Array, type: RecordType): OpenedRecord | undefined {
    return this.#cacheOf(type).get(this.#key(id));
  }

  /** Starts reading records that will be wanted soon; failures show when they are opened. */
  prefetch(ids: Iterable<Uint8Array>, type: RecordType): void {
    for (const id of ids) {
      const key = this.#key(id);
      if (!this.#cacheOf(type).has(key)) this.#flight(key, id, type).promise.catch(() => undefined);
    }
  }

  #key(id: Uint8Array): string {
    return this.#prefix + asBuffer(id).toString("latin1");
  }

  #cacheOf(type: RecordType): PlaintextCache {
    return type === RecordType.data ? this.#caches.data : this.#caches.pages;
  }

  #flight(key: string, id: Uint8Array, type: RecordType): Flight {
    const known = this.#flights.get(key);
    if (known !== undefined && known.type === type) return known;
    const flight: Flight = { id: Buffer.from(id), type, ...Promise.withResolvers<OpenedRecord>() };
    this.#flights.set(key, flight);
    if (this.#queue.length === 0) queueMicrotask(() => this.#send());
    this.#queue.push(flight);
    return flight;
  }

  #send(): void {
    const queue = this.#queue;
    this.#queue = [];
    let at = 0;
    while (at < queue.length) {
      const data = (queue[at] as Flight).type === RecordType.data;
      let end = at + 1;
      const most = data ? idsPerRead : pageIdsPerRead;
      while (end < queue.length && end - at < most) {
        if (((queue[end] as Flight).type === RecordType.data) !== data) break;
        end++;
      }
      void this.#read(queue.slice(at, end));
      at = end;
    }
  }

  async #read(batch: readonly Flight[]): Promise<void> {
    let results: readonly RecordResult[];
    try {
      results = await this.#source.read(
        this.#vaultId,
        this.group,
        batch.map((flight) => flight.id),
      );
    } catch (error) {
      for (const flight of batch) this.#land(flight, () => flight.reject(error));
      return;
    }
    for (const [index, flight] of batch.entries()) {
      // Pages take a turn each: whoever asks for something that is there already does not wait until all are open.
      if (index > 0 && flight.type !== RecordType.data) await nextTurn();
      this.#land(flight, () => {
        try {
          flight.resolve(this.#opened(flight, results[index]));
        } catch (error) {
          flight.reject(error);
        }
      });
    }
  }

  #land(flight: Flight, settle: () => void): void {
    const key = this.#key(flight.id);
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    settle();
  }

  #opened(flight: Flight, result: RecordResult | undefined): OpenedRecord {
    const { plaintext, refs } = openResult({
      result,
      keys: this.keys,
      group: this.group,
      id: flight.id,
      type: flight.type,
    });
    // The references are a view of the sealed record, which must not stay in memory for them.
    const record = { plaintext, refs: refs.length === 0 ? noRefs : Buffer.from(refs) };
    this.#cacheOf(flight.type).put(this.#key(flight.id), record);
    return record;
  }
}

const noRefs = Buffer.alloc(0);

/** What the cache's keys of a vault's group begin with. */
export function cachePrefix(vaultId: string, group?: number): string {
  return group === undefined ? `${vaultId}/` : `${vaultId}/${group}/`;
}

export type ResultToOpen = {
  readonly result: RecordResult | undefined;
  readonly keys: VaultKeys;
  readonly group: number;
  readonly id: Uint8Array;
  readonly type: RecordType;
  readonly beside?: IdTaker | undefined;
};

/**
 * Verifies and opens what a source answered for one id.
 * @throws HoldfastError chunk-missing, chunk-damaged (detail: chunk, writer when known), key-wrong, vault-locked
 */
export function openResult({ result, keys, group, id, type, beside }: ResultToOpen): OpenedRecord {
  if (result === undefined || result.state === "missing") {
    throw new HoldfastError(ErrorCode.chunkMissing, `chunk ${toHex(id)} is not in the store`, {
      detail: { chunk: toHex(id) },
    });
  }
  if (result.state === "damaged") {
    const writer = result.writer === undefined ? {} : { writer: result.writer };
    throw new HoldfastError(ErrorCode.chunkDamaged, `the stored copy of chunk ${toHex(id)} is damaged`, {
      detail: { chunk: toHex(id), ...writer },
    });
  }
  try {
    return openRecord({ keys, group, record: result.record, expectedId: id, expectedType: type, beside });
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.keyWrong) || isHoldfastError(error, ErrorCode.vaultLocked))
      throw error;
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(ErrorCode.chunkDamaged, `chunk ${toHex(id)} is damaged: ${error.message}`, {
      detail: { chunk: toHex(id), reason: error.code },
      cause: error,
    });
  }
}

/** Rejects with `cancelled` as soon as the signal fires. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const cancelled = () => new HoldfastError(ErrorCode.cancelled, "the read was cancelled");
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw cancelled();
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(cancelled());
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
