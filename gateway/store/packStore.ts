// Appends records to a vault's packs: one open pack for data, one for metadata, and one group commit at a time.
//
// Invariants
// - A batch is accepted only after every byte of it is on disk (fdatasync), in the order in which batches came.
// - If anything of a group fails, all of the group and everything queued behind it is rejected, and the files are cut
//   back to what was accepted before: later batches may rely on earlier ones that are not yet accepted.
// - A pack that reached its target is closed: trailer and footer are written, synced and read back through a new
//   descriptor; the pack table learns the name in the transaction that makes the index speak for all its rows; then the
//   file is renamed. Recovery finishes a rename that a crash prevented.
// - A pack that is taken out of `current` gets no more records; it is retired when no commit that runs has records for it.
// - After a failed fdatasync other than for lack of room, what the kernel wrote is unknown: the store refuses all work until
//   it is opened again.

import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { PackKind, RecordType, Width } from "../../vault/magic.ts";
import type { Sha256Engine } from "../../vault/sha256.ts";
import type { PackTable } from "../index/packTable.ts";
import { closeDescriptor, errnoOf, fileError, syncDirectory } from "./files.ts";
import { discardPack, finishPack } from "./finishPack.ts";
import { OpenPack } from "./openPack.ts";
import { openFolder, openPackPath } from "./packPaths.ts";
import type { Location, RecordToStore } from "./recordToStore.ts";

/** One batch of an uploader. Exactly one of the two is called, synchronously with the commit. */
export type AppendBatch = {
  readonly records: readonly RecordToStore[];
  /** Every record is durable at its location (in the order of `records`). */
  accept(locations: readonly Location[]): void;
  /** Nothing of it counts. */
  reject(error: HoldfastError): void;
};

export type PackStoreOptions = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  /** Called after the batches of a group were accepted: every frame of the pack up to `bytes` is accounted for. */
  readonly covered: (pack: number, bytes: number) => void;
  /** Makes the index durable and, in the same transaction, runs `change`. */
  readonly flushWith: (change: () => void) => Promise<void>;
  /** Told when a pack has its name and its place. */
  readonly closed: () => void;
  /** Told after a group commit how many seconds its writes and syncs took. */
  readonly groupCommitted?: ((seconds: number) => void) | undefined;
  /** Told when closing a pack failed; it is tried again with the next one. */
  readonly closingFailed: (error: unknown) => void;
  readonly sha256: Sha256Engine;
  /** For tests; the format's target otherwise. */
  readonly packBytesTarget?: number;
};

/** Bytes of records in one group commit; bounds the pause of the event loop for hashing. */
const groupBytesMax = 16 * 2 ** 20;

export class PackStore {
  readonly #options: PackStoreOptions;
  readonly #current = new Map<number, OpenPack>();
  #queue: AppendBatch[] = [];
  #running: Promise<void> | undefined;
  /** The group commit that runs, and the packs that it writes to. */
  #committing: Promise<void> | undefined;
  #touched: ReadonlySet<OpenPack> = new Set();
  /** Full packs that are not closed yet, oldest first. */
  readonly #full: OpenPack[] = [];
  #closing: Promise<void> = Promise.resolve();
  /** Why the oldest full pack is not closed. */
  #closingError: unknown;
  #failure: HoldfastError | undefined;

  /** `resumed`: open packs to go on with, at most one of a kind and none of them full; `full`: packs that are to be closed. */
  constructor(options: PackStoreOptions, resumed: readonly OpenPack[], full: readonly OpenPack[]) {
    this.#options = options;
    for (const pack of resumed) this.#current.set(pack.kind, pack);
    for (const pack of full) this.#retire(pack);
  }

  /** Queues a batch. */
  append(batch: AppendBatch): void {
    this.#queue.push(batch);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // The batches of one turn of the event loop share a commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      let bytes = 0;
      let count = 0;
      while (count < this.#queue.length && (count === 0 || bytes < groupBytesMax)) {
        for (const { record } of this.#queue[count]!.records) bytes += record.length;
        count++;
      }
      this.#committing = this.#commit(this.#queue.splice(0, count));
      await this.#committing;
    }
    this.#committing = undefined;
    this.#running = undefined;
  }

  async #commit(group: readonly AppendBatch[]): Promise<void> {
    const touched = new Set<OpenPack>();
    this.#touched = touched;
    const locations: Location[][] = [];
    try {
      if (this.#failure !== undefined) throw this.#failure;
      for (const batch of group) {
        const places: Location[] = [];
        for (const item of batch.records) {
          const kind = item.type === RecordType.data ? PackKind.data : PackKind.metadata;
          // A promise for each small record would cost more than planning it.
          const pack = this.#roomyPack(kind) ?? (await this.#create(kind));
          touched.add(pack);
          places.push({ pack: pack.ordinal, offset: pack.plan(item), length: item.record.length });
        }
        locations.push(places);
      }
      const beganMs = performance.now();
      await allOf([...touched].map((pack) => pack.write()));
      try {
        await allOf([...touched].map((pack) => pack.sync()));
        this.#options.groupCommitted?.((performance.now() - beganMs) / 1000);
      } catch (error) {
        const code = errnoOf(error);
        if (code !== "ENOSPC" && code !== "EDQUOT") this.#failure = notOnDisk(error, this.#options.directory);
        throw this.#failure ?? error;
      }
    } catch (error) {
      await this.#fail(group, touched, fileError(error, this.#options.directory));
      return;
    }
    for (const pack of touched) pack.accept();
    group.forEach((batch, i) => {
      batch.accept(locations[i]!);
    });
    for (const pack of touched) {
      this.#options.covered(pack.ordinal, pack.durableBytes);
      if (pack.isFull(this.#options.packBytesTarget) || this.#current.get(pack.kind) !== pack)
        this.#retire(pack);
    }
    this.#touched = new Set();
  }

  /** Why nothing is stored until the store is opened again; undefined as long as all is well. */
  get failure(): HoldfastError | undefined {
    return this.#failure;
  }

  /** Bytes of the packs that are open, with what is queued for them. */
  get openBytes(): number {
    let sum = 0;
    for (const { ordinal, plannedBytes } of [...this.#current.values(), ...this.#full]) {
      // One that is being closed may have its name already.
      if (this.#options.packs.get(ordinal)?.state === "open") sum += plannedBytes;
    }
    return sum;
  }

  /** The open pack of a kind; undefined where there is none, or it is full: it is closed once its bytes are accepted. */
  #roomyPack(kind: PackKind): OpenPack | undefined {
    const pack = this.#current.get(kind);
    return pack === undefined || pack.isFull(this.#options.packBytesTarget) ? undefined : pack;
  }

  /** A new pack takes the place of the one before. */
  async #create(kind: PackKind): Promise<OpenPack> {
    const { directory, packs, sha256 } = this.#options;
    const nonce = randomBytes(Width.packNonce);
    const ordinal = packs.create(kind === PackKind.data ? "data" : "meta", nonce);
    const path = openPackPath(directory, ordinal);
    let pack: OpenPack | undefined;
    try {
      await mkdir(openFolder(directory), { recursive: true, mode: 0o700 });
      pack = await OpenPack.create(path, { ordinal, kind, nonce, sha256 });
      await syncDirectory(openFolder(directory));
      this.#current.set(kind, pack);
      return pack;
    } catch (error) {
      if (pack === undefined) packs.remove(ordinal);
      else await discardPack(pack, packs);
      throw error;
    }
  }

  async #fail(group: readonly AppendBatch[], touched: Set<OpenPack>, error: HoldfastError): Promise<void> {
    const undone = await Promise.allSettled([...touched].map((pack) => pack.rollBack()));
    const broken = undone.find((result) => result.status === "rejected");
    if (broken !== undefined) this.#failure ??= notOnDisk(broken.reason, this.#options.directory);
    for (const pack of touched) {
      // Packs that were full within the group close early; the last one of each kind goes on.
      if (this.#current.get(pack.kind) !== pack) this.#retire(pack);
    }
    this.#touched = new Set();
    const rejected = [...group, ...this.#queue];
    this.#queue = [];
    for (const batch of rejected) batch.reject(error);
  }

  #retire(pack: OpenPack): void {
    if (this.#current.get(pack.kind) === pack) this.#current.delete(pack.kind);
    this.#full.push(pack);
    this.#closing = this.#closing.then(() => this.#closeFull());
  }

  async #closeFull(): Promise<void> {
    while (this.#full.length > 0) {
      const pack = this.#full[0]!;
      try {
        if (pack.durableBytes === 0) await discardPack(pack, this.#options.packs);
        else await finishPack(pack, this.#options);
      } catch (error) {
        this.#closingError = error;
        this.#options.closingFailed(error);
        return;
      }
      this.#full.shift();
      if (pack.durableBytes > 0) this.#options.closed();
    }
  }

  /** Closes packs that are full and were not, for lack of room say. */
  retryClosing(): Promise<void> {
    this.#closing = this.#closing.then(() => this.#closeFull());
    return this.#closing;
  }

  /**
   * Closes the packs that hold anything now; records that come meanwhile go to new ones. When it resolves, every record that was accepted before
   * the call is in a closed pack. May be repeated after a failure.
   * @throws HoldfastError disk-full, io-error, chunk-damaged
   */
  async closeOpen(): Promise<void> {
    const wanted = [...this.#full];
    // A pack that became full in the commit that runs is out of `current` already, and retired when that ends.
    for (const pack of this.#touched) {
      if (pack.durableBytes > 0 && this.#current.get(pack.kind) !== pack) wanted.push(pack);
    }
    for (const pack of [...this.#current.values()]) {
      if (pack.durableBytes === 0) continue;
      wanted.push(pack);
      if (this.#touched.has(pack)) this.#current.delete(pack.kind);
      else this.#retire(pack);
    }
    if (wanted.length === 0) return;
    await this.#committing;
    await this.retryClosing();
    if (wanted.some((pack) => this.#full.includes(pack))) {
      throw fileError(this.#closingError, this.#options.directory);
    }
  }

  /** Resolves when nothing is queued, written or being closed. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#closing;
  }

  /** Waits for what is queued and closes the files; open packs stay open packs. */
  async close(): Promise<void> {
    this.#failure ??= new HoldfastError(ErrorCode.cancelled, "the gateway is stopping");
    await this.settled();
    for (const pack of [...this.#current.values(), ...this.#full]) await closeDescriptor(pack.fd);
    this.#current.clear();
    this.#full.length = 0;
  }
}

/** Nobody knows what the disk has of what was written last. */
function notOnDisk(error: unknown, path: string): HoldfastError {
  const { message, detail } = fileError(error, path);
  return new HoldfastError(
    ErrorCode.ioError,
    `${message}; nothing more is stored here until the gateway is started again`,
    {
      next: "Look at the gateway's disk and its system log; when it is well, restart the gateway. What was acknowledged is kept.",
      ...(detail !== undefined && { detail }),
      cause: error,
    },
  );
}

/** Waits for all to settle, then throws the first failure. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === "rejected") throw result.reason;
}
