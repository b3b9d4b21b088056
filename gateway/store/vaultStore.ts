// The records of one vault: packs, index and overlay put together.
//
// Invariants
// - A record can be looked up only once it is durable in a pack; the overlay is filled in the order of the packs.
// - A pack is closed in the transaction that makes the index speak for all of its rows.
// - Uploads stop (disk-full) while the file system has less than the reserve free, so that LMDB never runs out of room in the middle of its own work.

import { statfs } from "node:fs/promises";
import type { AdmissionStore, AdmittedBatch, AdmittedRecord } from "../../ingest/session/admission.ts";
import type { HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { nodeSha256, type Sha256Engine } from "../../vault/sha256.ts";
import { type ElsewhereOptions, VaultElsewhere } from "../cache/vaultElsewhere.ts";
import { ChunkIndex } from "../index/chunkIndex.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../index/environment.ts";
import { IndexOverlay } from "../index/overlay.ts";
import { PackPlaces } from "../index/packPlaces.ts";
import { type PackRow, PackTable } from "../index/packTable.ts";
import { type ChunkRow, hasCopy, isHere } from "../index/row.ts";
import { PromisedRecords } from "../seed/promisedRecords.ts";
import { Promises } from "../seed/promises.ts";
import { readEvictedPack } from "./evictedPack.ts";
import type { Elsewhere } from "./evictedRecords.ts";
import { PackReader, type ReadOptions, type ReadOutcome } from "./packReader.ts";
import { PackStore } from "./packStore.ts";
import { PackTails } from "./packTails.ts";
import type { Location } from "./recordToStore.ts";
import { recoverEvictions } from "./recoverEvictions.ts";
import { type RecoveryCounts, type RecoveryReport, recoverPacks } from "./recoverPacks.ts";
import { reserveReached } from "./reserve.ts";

export type VaultStoreOptions = {
  /** The vault's directory; it exists. */
  readonly directory: string;
  /** Encrypts the index; see openIndexEnvironment. */
  readonly indexKey?: string | undefined;
  /** The gateway's number for a device id (16 bytes). */
  readonly writerOrdinal: (device: Uint8Array) => number;
  /** Free bytes below which uploads are refused. */
  readonly reserveBytes: number;
  /** Where packs may be besides the local disk; without it, evicted ones cannot be read. */
  readonly elsewhere?: ElsewhereOptions;
  /** Told what happens in the background and at recovery. */
  readonly report: (event: string, facts: Record<string, unknown>) => void;
  /** Told when a pack was closed. */
  readonly packClosed?: () => void;
  /** Told how many seconds each group commit took. */
  readonly groupCommitted?: (seconds: number) => void;
  /** Hashes what is stored; node:crypto by default. */
  readonly sha256?: Sha256Engine | undefined;
  /** For tests. */
  readonly packBytesTarget?: number;
};

/** Rows of the overlay: a third of it is room for what is admitted while a flush runs. */
const overlayRowsMax = 400_000;

/** A `room()` asks the file system again only after so many calls; each lets in at most a slab or two. */
const roomChecksEvery = 4;

export class VaultStore implements AdmissionStore {
  readonly environment: IndexEnvironment;
  readonly index: ChunkIndex;
  readonly overlay: IndexOverlay;
  readonly packs: PackTable;
  /** What boxes promised, and what rests on it. */
  readonly promises: Promises;
  readonly promised: PromisedRecords;
  /** What recovery found when the store was opened. */
  readonly recovery: RecoveryCounts;
  /** Packs in replicas; undefined when it was opened without. */
  readonly elsewhere: VaultElsewhere | undefined;
  /** Bytes of all packs, also in replicas alone. */
  readonly storedBytes = (): number => this.packs.storedBytes + this.#packStore.openBytes;
  readonly #options: VaultStoreOptions;
  readonly #packStore: PackStore;
  readonly #reader: PackReader;
  readonly #away: Elsewhere | undefined;
  #flushing: Promise<unknown> | undefined;
  #roomCalls = 0;
  #roomFull: HoldfastError | undefined;

  private constructor(
    options: VaultStoreOptions,
    parts: {
      environment: IndexEnvironment;
      index: ChunkIndex;
      overlay: IndexOverlay;
      packs: PackTable;
      promises: Promises;
      promised: PromisedRecords;
      tails: PackTails;
      recovery: RecoveryReport;
    },
  ) {
    this.#options = options;
    this.environment = parts.environment;
    this.index = parts.index;
    this.overlay = parts.overlay;
    this.packs = parts.packs;
    this.promises = parts.promises;
    this.promised = parts.promised;
    const { resumed, full, ...recovery } = parts.recovery;
    this.recovery = recovery;
    const forget = (pack: number): Promise<void> => this.#reader.forget(pack);
    this.elsewhere =
      options.elsewhere && new VaultElsewhere(options.elsewhere, { ...options, ...parts, forget });
    this.#away = this.elsewhere && { tails: parts.tails, remote: this.elsewhere.reader };
    this.#reader = new PackReader(options.directory, parts.packs, this.#away);
    this.#packStore = new PackStore(
      {
        ...{ directory: options.directory, packs: parts.packs, groupCommitted: options.groupCommitted },
        covered: (pack, bytes) => this.overlay.cover(pack, bytes),
        flushWith: async (change) => void (await this.overlay.flush(change)),
        closed: () => options.packClosed?.(),
        closingFailed: (error) => options.report("pack-not-closed", { error: String(error) }),
        sha256: options.sha256 ?? nodeSha256,
        ...(options.packBytesTarget !== undefined && { packBytesTarget: options.packBytesTarget }),
      },
      resumed,
      full,
    );
  }

  /**
   * Opens the store and recovers open packs.
   * @throws HoldfastError data-dir-invalid, disk-full, io-error
   */
  static async open(options: VaultStoreOptions): Promise<VaultStore> {
    const environment = openIndexEnvironment(`${options.directory}/index`, options.indexKey);
    try {
      const index = new ChunkIndex(environment);
      const packs = new PackTable(environment);
      const overlay = new IndexOverlay(index, packs, { rowsMax: overlayRowsMax });
      const promises = new Promises(environment);
      const promised = new PromisedRecords(overlay, promises);
      const { directory, writerOrdinal, report, sha256 = nodeSha256 } = options;
      const knowsBox = promises.boxes().length > 0;
      const recovery = await recoverPacks({
        ...{ directory, packs, overlay, promised, knowsBox, writerOrdinal, report, sha256 },
      });
      await promises.removeLeft();
      const tails = new PackTails(options.directory);
      await recoverEvictions({ ...options, packs, places: new PackPlaces(environment), tails });
      const parts = { environment, index, overlay, packs, promises, promised, tails, recovery };
      return new VaultStore(options, parts);
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  /** The row of a record that is here and sound as far as is known. */
  lookup(group: number, id: Uint8Array): ChunkRow | undefined {
    const row = this.overlay.lookup(group, id);
    return row === undefined || !isHere(row) ? undefined : row;
  }

  /** As `lookup` for ids of 32 bytes one after the other. */
  lookupBatch(group: number, ids: Uint8Array): (ChunkRow | undefined)[] {
    const rows = this.overlay.lookupBatch(group, ids);
    for (let i = 0; i < rows.length; i++) if (rows[i] !== undefined && !isHere(rows[i]!)) rows[i] = undefined;
    return rows;
  }

  /** As `lookupBatch`, for readers: what was reported as wrong too. Who reads proves each record; a report proves nothing, and takes nothing away. */
  readableBatch(group: number, ids: Uint8Array): (ChunkRow | undefined)[] {
    return this.overlay
      .lookupBatch(group, ids)
      .map((row) => (row !== undefined && hasCopy(row) ? row : undefined));
  }

  findLive(group: number, ids: Buffer): (number | undefined)[] {
    return this.lookupBatch(group, ids).map((row) => row?.ordinal);
  }

  rely(group: number, ids: Buffer): (number | undefined)[] {
    return this.promised.rely(group, ids);
  }

  async room(): Promise<void> {
    if (this.overlay.wantsFlush) {
      this.#flushing ??= this.overlay.flush().finally(() => {
        this.#flushing = undefined;
      });
      await this.#flushing;
    }
    if (this.#roomCalls++ % roomChecksEvery === 0 || this.#roomFull !== undefined) {
      const { bavail, blocks, bsize } = await statfs(this.#options.directory);
      this.#options.elsewhere?.tellRoom({ freeBytes: bavail * bsize, totalBytes: blocks * bsize });
      const full = bavail * bsize < this.#options.reserveBytes;
      if (!full && this.#roomFull !== undefined) void this.#packStore.retryClosing();
      this.#roomFull = full ? reserveReached(this.#options) : undefined;
    }
    if (this.#roomFull !== undefined) throw this.#roomFull;
  }

  store(batch: AdmittedBatch): void {
    const { group, writer } = batch;
    const writerOrdinal = this.#options.writerOrdinal(writer);
    this.#packStore.append({
      records: batch.records.map(({ record, header, hash16 }) => ({
        record,
        hash16,
        id: header.id,
        type: header.type,
        group,
        writer,
      })),
      accept: (locations) => {
        batch.records.forEach((admitted, i) => {
          this.#enter(group, writerOrdinal, admitted, locations[i]!);
        });
        batch.accept();
      },
      reject: (error) => batch.reject(error),
    });
  }

  #enter(group: number, writer: number, admitted: AdmittedRecord, location: Location): void {
    const { header } = admitted;
    const refs = admitted.refs.map((ordinal, i) => {
      if (ordinal !== undefined) return ordinal;
      const row = this.overlay.lookup(group, header.refs.subarray(i * Width.id, (i + 1) * Width.id));
      if (row === undefined) throw new Error("a record was stored before one that it refers to");
      return row.ordinal;
    });
    this.overlay.admit(group, header.id, { ...location, type: header.type, writer }, refs);
  }

  /**
   * Reads records in the order of `locations`, neighbours together and one step ahead of the caller.
   * `undefined` stays undefined. For `options` see PackReader.
   */
  async *read(
    locations: readonly (Location | undefined)[],
    options: ReadOptions = {},
  ): AsyncGenerator<ReadOutcome | undefined> {
    const runs: { start: number; count: number }[] = [];
    for (let start = 0; start < locations.length; ) {
      const count = this.#reader.runLength(locations, start);
      runs.push({ start, count });
      start += count;
    }
    const begin = (
      run: { start: number; count: number } | undefined,
    ): Promise<(ReadOutcome | undefined)[]> => {
      if (run === undefined) return Promise.resolve([]);
      const part = locations.slice(run.start, run.start + run.count).filter((place) => place !== undefined);
      const outcome = part.length === 0 ? Promise.resolve([undefined]) : this.#reader.readRun(part, options);
      outcome.catch(() => {});
      return outcome;
    };
    let next = begin(runs[0]);
    for (let i = 0; i < runs.length; i++) {
      const current = next;
      next = begin(runs[i + 1]);
      yield* await current;
    }
  }

  /** See readEvictedPack. */
  readEvictedPack(pack: PackRow, first: number, last: number): AsyncGenerator<Buffer, void, undefined> {
    if (this.#away === undefined) throw new Error("the store was opened without replicas");
    return readEvictedPack(this.#away, pack, first, last);
  }

  /** Writes the overlay to LMDB with `commit` in the last transaction; see IndexOverlay.flush. */
  async flush<T>(commit: () => T): Promise<T> {
    return (await this.overlay.flush(commit)).value;
  }

  /**
   * Closes the packs that are open and hold anything, beside uploads: what was acknowledged before the call is in closed packs after it.
   * @throws HoldfastError disk-full, io-error, chunk-damaged
   */
  closeOpenPacks(): Promise<void> {
    return this.#packStore.closeOpen();
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#packStore.settled();
  }

  /** Stops; open packs stay open and are gone on with. */
  async close(): Promise<void> {
    await this.#packStore.close();
    await this.elsewhere?.moves.settled();
    await this.promises.settled();
    await this.overlay.flush().catch((error: unknown) => {
      // Packs are the log: what is not flushed now is admitted again at the next start.
      this.#options.report("index-not-flushed", { error: String(error) });
    });
    await this.#reader.close();
    await this.environment.close();
  }
}
