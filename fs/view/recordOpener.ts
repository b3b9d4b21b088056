// Reads, verifies and opens records of one vault and group, each once at a time and through a bounded cache.
//
// Invariants: a record that was handed out was proven by its seal and its id; a failure is never cached; ids that are
// asked for in one turn of the event loop go to the source in one request.

import { asBuffer, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import type { OpenEngines } from "../../vault/record.ts";
import type { Lull } from "./lull.ts";
import type { OpenPool } from "./openPool.ts";
import { openResult } from "./openResult.ts";
import { type CachedRecord, type OpenedRecord, PlaintextCache } from "./plaintextCache.ts";
import type { RecordResult, RecordSource } from "./ports.ts";
import { SpareMemory } from "./spareMemory.ts";

const MiB = 1024 * 1024;
/** Data records may be 4 MiB each: an answer is at most about 64 MiB. */
const idsPerRead = 16;
const pageIdsPerRead = 256;

const spareBytesMax = 8 * MiB;

/**
 * Sealed records from this length on go to the pool's threads: for smaller ones the way costs more than the work. Data may have shrunk to a
 * thirtieth, and goes in company; pages come one by one.
 */
const pooledDataBytesMin = 4 * 1024;
const pooledPageBytesMin = 32 * 1024;

/** The caches that all vaults of a view share. */
export type PlaintextCaches = {
  readonly data: PlaintextCache;
  readonly pages: PlaintextCache;
  /** Memory of data that was dropped. */
  readonly spare: SpareMemory;
};

/** What drives keep in memory unless they are told otherwise. */
export const memoryCacheBytesDefault = 80 * MiB;

/** Caches of so many bytes together: four fifths for file content, one for directory and extent pages. */
export function cachesOf(bytes: number): PlaintextCaches {
  return createCaches(Math.floor((bytes / 5) * 4), Math.floor(bytes / 5));
}

/** 64 MiB of file content and 16 MiB of directory and extent pages, unless other bounds are given. */
export function createCaches(dataBytes = 64 * MiB, pageBytes = 16 * MiB): PlaintextCaches {
  const spare = new SpareMemory(spareBytesMax);
  return { data: new PlaintextCache(dataBytes, spare), pages: new PlaintextCache(pageBytes), spare };
}

type Flight = {
  readonly id: Buffer;
  /** Asked for a second time, because the source's own copy was wrong. */
  again: boolean;
  readonly type: RecordType;
  readonly promise: Promise<CachedRecord>;
  readonly resolve: (record: CachedRecord) => void;
  readonly reject: (error: unknown) => void;
};

export type RecordOpenerOptions = {
  readonly source: RecordSource;
  readonly keys: VaultKeys;
  readonly group: number;
  readonly caches: PlaintextCaches;
  /** What the calling thread opens records with; Node's own libraries by default. */
  readonly engines?: OpenEngines;
  /** Without one everything is opened by the calling thread. */
  readonly pool?: OpenPool | undefined;
  /** Told of every record that is opened. */
  readonly lull?: Lull | undefined;
};

export class RecordOpener {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly #source: RecordSource;
  readonly #engines: OpenEngines | undefined;
  readonly #caches: PlaintextCaches;
  readonly #pool: OpenPool | undefined;
  readonly #lull: Lull | undefined;
  readonly #vaultId: string;
  readonly #prefix: string;
  readonly #flights = new Map<string, Flight>();
  #queue: Flight[] = [];

  constructor(options: RecordOpenerOptions) {
    this.#source = options.source;
    this.#engines = options.engines;
    this.keys = options.keys;
    this.group = options.group;
    this.#caches = options.caches;
    this.#pool = options.pool;
    this.#lull = options.lull;
    this.#vaultId = toHex(options.keys.vaultId);
    this.#prefix = cachePrefix(this.#vaultId, options.group);
  }

  /**
   * The opened record; see CachedRecord for how long it may be used. `signal` ends the waiting, not the request, which others may share.
   * @throws HoldfastError chunk-missing, chunk-damaged, cancelled, vault-locked, and what the source fails with
   */
  async open(id: Uint8Array, type: RecordType, signal?: AbortSignal): Promise<CachedRecord> {
    const key = this.#key(id);
    const known = this.#cacheOf(type).get(key);
    if (known !== undefined) return known;
    return unlessAborted(this.#flight(key, id, type).promise, signal);
  }

  /** The opened record, if it is in memory. */
  opened(id: Uint8Array, type: RecordType): CachedRecord | undefined {
    return this.#cacheOf(type).get(this.#key(id));
  }

  /** Starts reading records that will be wanted soon; failures show when they are opened. `landed` is called after each. */
  prefetch(ids: Iterable<Uint8Array>, type: RecordType, landed: () => void = () => undefined): void {
    for (const id of ids) {
      const key = this.#key(id);
      if (!this.#cacheOf(type).has(key)) this.#flight(key, id, type).promise.then(landed, landed);
    }
  }

  /** Whether a record is being read. */
  isComing(id: Uint8Array, type: RecordType): boolean {
    return this.#flights.get(this.#key(id))?.type === type;
  }

  /** Bytes of opened data that are kept in memory. */
  get dataBytesMax(): number {
    return this.#caches.data.bytesMax;
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
    const flight: Flight = {
      id: Buffer.from(id),
      again: false,
      type,
      ...Promise.withResolvers<CachedRecord>(),
    };
    this.#flights.set(key, flight);
    this.#enqueue(flight);
    return flight;
  }

  #enqueue(flight: Flight): void {
    if (this.#queue.length === 0) queueMicrotask(() => this.#send());
    this.#queue.push(flight);
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
    const ids = batch.map((flight) => flight.id);
    const left = new Set(batch);
    const arrived = (index: number, result: RecordResult): void => {
      const flight = batch[index];
      if (flight === undefined || !left.delete(flight)) return;
      this.#arrived(flight, result);
    };
    try {
      await this.#source.readEach(this.#vaultId, this.group, ids, arrived);
      for (const flight of left) this.#arrived(flight, undefined);
    } catch (error) {
      for (const flight of left) this.#land(flight, () => flight.reject(error));
    }
  }

  #arrived(flight: Flight, result: RecordResult | undefined): void {
    const { keys, group } = this;
    const { id, type } = flight;
    const pooledBytesMin = type === RecordType.data ? pooledDataBytesMin : pooledPageBytesMin;
    if (this.#pool === undefined || result?.state !== "record" || result.record.length < pooledBytesMin) {
      this.#settle(flight, () => this.#openHere(flight, result));
      return;
    }
    // Nobody else waits: the way to a thread and back would only be added.
    if (this.#pool.takeTurn(this.#flights.size === 1)) {
      const { engines } = this.#pool;
      const { spare } = this.#caches;
      const { record } = result;
      const memory = (bytes: number): Buffer => spare.take(bytes);
      this.#settle(flight, () => openResult({ result, keys, group, id, type, engines, memory }));
      spare.give(record);
      return;
    }
    this.#pool.open({ keys, group, id, type, record: result.record }).then(
      (record) => {
        this.#settle(flight, () => {
          // The vault may have been locked meanwhile; the keys know.
          keys.idKey(group);
          return record;
        });
      },
      (error: unknown) => this.#failed(flight, error),
    );
  }

  #openHere({ id, type }: Flight, result: RecordResult | undefined): OpenedRecord {
    const { keys, group } = this;
    const engines = this.#engines ?? this.#pool?.engines;
    const opened = openResult({ result, keys, group, id, type, engines });
    return engines?.open.keepsMemory ? { ...opened, plaintext: Buffer.from(opened.plaintext) } : opened;
  }

  #failed(flight: Flight, error: unknown): void {
    if (!flight.again && isHoldfastError(error) && suspicious.has(error.code)) {
      flight.again = true;
      if (this.#source.discard?.(this.#vaultId, this.group, flight.id) === true) {
        this.#enqueue(flight);
        return;
      }
    }
    this.#land(flight, () => flight.reject(error));
  }

  #land(flight: Flight, settle: () => void): void {
    const key = this.#key(flight.id);
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    settle();
  }

  #settle(flight: Flight, open: () => OpenedRecord): void {
    let opened: OpenedRecord;
    try {
      opened = open();
    } catch (error) {
      this.#failed(flight, error);
      return;
    }
    const { plaintext, refs } = opened;
    // The references are a view of the sealed record, which must not stay in memory for them.
    const record = { plaintext, refs: refs.length === 0 ? noRefs : Buffer.from(refs), pins: 0 };
    this.#cacheOf(flight.type).put(this.#key(flight.id), record);
    this.#lull?.opened(plaintext.length);
    this.#land(flight, () => flight.resolve(record));
  }
}

const noRefs = Buffer.alloc(0);

/** What flipped bits can look like: also those that name the epoch. */
const suspicious: ReadonlySet<ErrorCode> = new Set([ErrorCode.chunkDamaged, ErrorCode.keyWrong]);

/** What the cache's keys of a vault's group begin with. */
export function cachePrefix(vaultId: string, group?: number): string {
  return group === undefined ? `${vaultId}/` : `${vaultId}/${group}/`;
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
