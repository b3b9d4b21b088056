// The records of one vault: packs, index and overlay put together.
//
// Invariants
// - A record can be looked up only once it is durable in a pack; the overlay is filled in the order of the packs.
// - A pack is closed in the transaction that makes the index speak for all of its rows.
// - Uploads stop (disk-full) while the file system has less than the reserve free, so that LMDB never runs out of room in the middle of its own work.

import { statfs } from "node:fs/promises";
import type { AdmissionStore, AdmittedBatch, AdmittedRecord } from "../../ingest/session/admission.ts";
import type { HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { Width } from "../../vault/magic.ts";
import { nodeSha256 } from "../../vault/sha256.ts";
import { VaultElsewhere } from "../cache/vaultElsewhere.ts";
import type { ChunkIndex } from "../index/chunkIndex.ts";
import type { DeadSets } from "../index/deadSets.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import type { IndexOverlay } from "../index/overlay.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { type ChunkRow, hasCopy, isHere } from "../index/row.ts";
import type { PromisedRecords } from "../seed/promisedRecords.ts";
import type { Promises } from "../seed/promises.ts";
import { readEvictedPack } from "./evictedPack.ts";
import type { Elsewhere } from "./evictedRecords.ts";
import { PackReader, type ReadOptions, type ReadOutcome } from "./packReader.ts";
import type { PackRemoval } from "./packRemoval.ts";
import { PackStore } from "./packStore.ts";
import type { Pins } from "./pins.ts";
import { readInRuns } from "./readInRuns.ts";
import { readPackTail } from "./readPackTail.ts";
import { ReadsUnderWay } from "./readsUnderWay.ts";
import type { Location, RecordToStore } from "./recordToStore.ts";
import type { RecoveryCounts } from "./recoverPacks.ts";
import { reserveReached } from "./reserve.ts";
import { openStoreParts, type StoreParts, type VaultStoreOptions } from "./storeParts.ts";

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
  /** What uploads rest on. */
  readonly pins: Pins;
  readonly dead: DeadSets;
  readonly removal: PackRemoval;
  readonly reads = new ReadsUnderWay();
  /** Packs are closed at about so many bytes. */
  readonly packBytesTarget: number;
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
  #stores = 0;
  #roomCalls = 0;
  #roomFull: HoldfastError | undefined;

  private constructor(options: VaultStoreOptions, parts: StoreParts) {
    this.#options = options;
    this.packBytesTarget = options.packBytesTarget ?? limits.packBytesTarget;
    this.environment = parts.environment;
    this.index = parts.index;
    this.overlay = parts.overlay;
    this.packs = parts.packs;
    this.promises = parts.promises;
    this.promised = parts.promised;
    this.pins = parts.pins;
    this.dead = parts.dead;
    this.removal = parts.removal;
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
        packBytesTarget: this.packBytesTarget,
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
    return new VaultStore(options, await openStoreParts(options));
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
    return this.lookupBatch(group, ids).map((row) => {
      if (row !== undefined) this.pins.rests(row.ordinal);
      return row?.ordinal;
    });
  }

  findPresent(group: number, ids: Buffer): (number | undefined)[] {
    return this.lookupBatch(group, ids).map((row) => {
      if (row !== undefined) this.pins.told(row.ordinal);
      return row?.ordinal;
    });
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

  /** Grows with every batch that is stored and every read that begins. */
  get activity(): number {
    return this.#stores + this.reads.begun;
  }

  store(batch: AdmittedBatch): void {
    this.#stores++;
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
    const place = { ...location, type: header.type, writer };
    const { ordinal, known } = this.overlay.admit(group, header.id, place, refs);
    // An ordinal that was given before the lease began does not say that it was uploaded under it.
    if (known) this.pins.told(ordinal);
    else this.pins.rests(ordinal);
    for (const ref of refs) this.pins.rests(ref);
  }

  /** Resolves when all that was queued before the call is durable, or was refused. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#packStore.append({ records: [], accept: () => resolve(), reject: () => resolve() });
    });
  }

  /**
   * Appends copies of records that are here already; where they are, in their order, when they are durable. No row names them yet.
   * @throws HoldfastError disk-full, io-error
   */
  appendCopies(records: readonly RecordToStore[]): Promise<readonly Location[]> {
    return new Promise((resolve, reject) => {
      this.#packStore.append({ records, accept: resolve, reject });
    });
  }

  /**
   * Reads records in the order of `locations`, neighbours together and one step ahead of the caller.
   * `undefined` stays undefined. For `options` see PackReader. To be called in the turn in which the locations were looked up.
   */
  read(
    locations: readonly (Location | undefined)[],
    options: ReadOptions = {},
  ): AsyncGenerator<ReadOutcome | undefined> {
    return readInRuns(this.#reader, locations, options, this.reads.begin());
  }

  /**
   * Header, trailer and footer of a closed or evicted pack.
   * @throws HoldfastError chunk-missing, corrupt, truncated, unsupported, io-error; as ReplicaStore.getRange for an evicted one
   */
  readTail(pack: PackRow): Promise<Buffer> {
    return readPackTail(this.#options.directory, pack, this.#away);
  }

  /** Forgets the descriptors of packs that have left. */
  async forget(packs: readonly number[]): Promise<void> {
    for (const pack of packs) await this.#reader.forget(pack);
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

  /** Why nothing is stored until the gateway is started again; undefined as long as all is well. */
  get failure(): HoldfastError | undefined {
    return this.#packStore.failure ?? this.environment.failure;
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
