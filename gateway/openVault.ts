// One vault that a gateway has open: documents, records, snapshots and upload sessions.
//
// Invariants
// - Commit: the snapshot's file and its name are durable, then one transaction holds index rows, snapshot row, head and the end of the lease.
//   Nothing is visible before that transaction, and its failure takes no file away.
// - Commits, and changes of the keys document, run one after the other.
// - The newest keys document in memory is the one on disk with the highest generation.

import { join } from "node:path";
import { Admission, type BatchAnswer, type UploadedBatch } from "../ingest/session/admission.ts";
import { checkCommit, previousOf } from "../ingest/session/commitRules.ts";
import { bitmapOf } from "../ingest/wire/bitmap.ts";
import type { CommitAnswer, SuspectAnswer } from "../ingest/wire/messages.ts";
import { toHex } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { KeysDocument } from "../vault/keys/keysTypes.ts";
import { snapshotId } from "../vault/snapshot.ts";
import { requireFeatures, type VaultDocument } from "../vault/vaultDocument.ts";
import type { Device } from "./catalog/devices.ts";
import type { CommitFigures } from "./catalog/guardRows.ts";
import { Needs } from "./catalog/needs.ts";
import { type Item, type Snapshot, VaultCatalog } from "./catalog/vaultCatalog.ts";
import type { Vault } from "./catalog/vaults.ts";
import { rowFlags } from "./index/row.ts";
import { KeptPart } from "./keptPart.ts";
import { removeOrphanSnapshots } from "./orphanSnapshots.ts";
import { quarantineRecords } from "./quarantine.ts";
import { withPromised } from "./seed/promisedError.ts";
import { SnapshotWaits } from "./seed/snapshotWaits.ts";
import { VaultBoxes } from "./seed/vaultBoxes.ts";
import { readSnapshotObject } from "./snapshotObject.ts";
import { writeFileDurably } from "./store/files.ts";
import type { ReadOptions, ReadOutcome } from "./store/packReader.ts";
import type { VaultStoreOptions } from "./store/storeParts.ts";
import { VaultHolds } from "./store/vaultHolds.ts";
import { VaultStore } from "./store/vaultStore.ts";
import { keysMovedOn, readKeysDocument, readVaultDocument, writeKeysDocument } from "./vaultDocuments.ts";

export type OpenVaultOptions = VaultStoreOptions & {
  readonly row: Vault;
  readonly now: () => Date;
  /** The device of a number in chunk rows. */
  readonly deviceOf: (ordinal: number) => Device | undefined;
  /** Told after a commit, another change of what snapshots there are, or of the keys document. */
  readonly changed: () => void;
  /** Number of the box to restore from that the gateway is: what it promises was left out here. */
  readonly leftOutBy?: number | undefined;
};

export class OpenVault {
  readonly id: string;
  readonly document: VaultDocument;
  readonly store: VaultStore;
  readonly catalog: VaultCatalog;
  readonly #options: OpenVaultOptions;
  readonly #admission: Admission;
  readonly needs: Needs;
  /** Which snapshots are pending. */
  readonly waits: SnapshotWaits;
  /** What boxes promise. */
  readonly boxes: VaultBoxes;
  readonly holds = new VaultHolds();
  #keptPart: KeptPart | undefined;
  #keys: KeysDocument;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    options: OpenVaultOptions,
    document: VaultDocument,
    keys: KeysDocument,
    store: VaultStore,
  ) {
    this.id = options.row.id;
    this.document = document;
    this.store = store;
    this.catalog = new VaultCatalog(store.environment);
    this.#options = options;
    this.#admission = new Admission(store);
    this.needs = new Needs(store.environment, store.index);
    const { catalog, needs } = this;
    const { changed, report } = options;
    this.waits = new SnapshotWaits({ store, catalog, needs, changed, report });
    this.boxes = new VaultBoxes(store, catalog, this.waits, changed);
    this.#keys = keys;
  }

  /**
   * Opens a vault, recovers its open packs and clears away what commits left behind.
   * @throws HoldfastError data-dir-invalid, unsupported, corrupt, disk-full, io-error
   */
  static async open(options: OpenVaultOptions): Promise<OpenVault> {
    const document = await readVaultDocument(options.directory);
    requireFeatures(document, "read");
    const keys = await readKeysDocument(options.directory, options.row.keysGeneration);
    if (document.id !== options.row.id || keys.vault !== options.row.id) {
      throw new HoldfastError(
        ErrorCode.dataDirInvalid,
        `${options.directory} holds another vault than its name says`,
      );
    }
    const store = await VaultStore.open(options);
    const vault = new OpenVault(options, document, keys, store);
    await removeOrphanSnapshots({ ...options, catalog: vault.catalog }).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    vault.#keptPart = new KeptPart(options, vault);
    vault.waits.settleSoon();
    return vault;
  }

  /** The newest keys document. */
  get keys(): KeysDocument {
    return this.#keys;
  }

  /** Runs work of one kind after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return run;
  }

  /**
   * Replaces the keys document by its successor.
   * @throws HoldfastError sequence-conflict when it is not the next generation; usage for another vault's
   */
  replaceKeys(next: (current: KeysDocument) => KeysDocument): Promise<KeysDocument> {
    return this.#inTurn(async () => {
      const document = next(this.#keys);
      if (document.vault !== this.id || document.account !== this.#options.row.account) {
        throw new HoldfastError(ErrorCode.usage, "the keys document is of another vault");
      }
      if (document.generation !== this.#keys.generation + 1 || document.epoch < this.#keys.epoch) {
        throw keysMovedOn(this.#keys.generation);
      }
      await writeKeysDocument(this.#options.directory, document);
      this.#keys = document;
      this.#options.changed();
      return document;
    });
  }

  /** Decides and stores records of a device, which may have come with a box; see Admission.admit, for `hashes` and `epochMin` UploadedBatch. */
  admit(
    device: Pick<Device, "id" | "group">,
    records: readonly Buffer[],
    { hashes, epochMin }: Pick<UploadedBatch, "hashes" | "epochMin"> = {},
  ): Promise<BatchAnswer> {
    return this.#admission.admit({
      group: device.group,
      writer: Buffer.from(device.id, "hex"),
      records,
      hashes,
      epochMax: this.#keys.epoch,
      epochMin,
    });
  }

  /** The same for an upload, which seals in the newest key epoch. */
  upload(device: Pick<Device, "id" | "group">, records: readonly Buffer[]): Promise<BatchAnswer> {
    return this.admit(device, records, { epochMin: this.#keys.epoch });
  }

  /** Bitmap of the ids (32 bytes one after the other) that are here in a group, live and durable. */
  present(group: number, ids: Buffer): Buffer {
    return bitmapOf(this.store.lookupBatch(group, ids).map((row) => row !== undefined));
  }

  /** The same for an agent that asks what it need not send: what is promised by a box counts as here. */
  have(group: number, ids: Buffer): Buffer {
    return bitmapOf(this.store.promised.have(group, ids));
  }

  /**
   * The records of ids (32 bytes one after the other), in their order; undefined for those that are not here, an error `promised` with the
   * number of the box in its detail for those that are on their way, `left-out` at a box that was made without them.
   */
  read(group: number, ids: Buffer, options: ReadOptions = {}): AsyncGenerator<ReadOutcome | undefined> {
    const here = this.store.read(this.store.readableBatch(group, ids), options);
    if (!this.store.promises.any) return here;
    return withPromised(here, this.store.promised.boxesOf(group, ids), this.#options.leftOutBy);
  }

  /** Numbers of the boxes that a snapshot waits for, 0 for what was left out of this one; undefined for a snapshot that is whole. */
  pendingBoxes(snapshot: string): readonly number[] | undefined {
    const { leftOutBy } = this.#options;
    return this.catalog.waiting.boxes(snapshot)?.map((box) => (box === leftOutBy ? 0 : box));
  }

  /** What an operator wants to know of a record that cannot be read: its id and who wrote it. */
  about(group: number, id: Uint8Array): { chunk: string; writer: string | null; writerName: string | null } {
    const row = this.store.overlay.lookup(group, id);
    const writer =
      row === undefined || row.flags & rowFlags.promised ? undefined : this.#options.deviceOf(row.writer);
    return { chunk: toHex(id), writer: writer?.id ?? null, writerName: writer?.name ?? null };
  }

  /** Starts an upload session for an item; see Leases.start. */
  startSession(item: Item): { session: string; resumed: boolean } {
    requireFeatures(this.document, "write");
    const started = this.catalog.leases.start(item, this.store.index.ordinals.stored);
    this.store.pins.began(item.id, started.resumed);
    return started;
  }

  /**
   * Makes a snapshot visible. `figures`: for the guard.
   * @throws HoldfastError session-ended, missing-chunks, sequence-conflict, keys-rotated, protocol, corrupt, disk-full
   */
  commit(session: string, device: Device, object: Buffer, figures?: CommitFigures): Promise<CommitAnswer> {
    return this.#inTurn(async () => {
      const id = toHex(snapshotId(object));
      const state = this.catalog.leases.session(session);
      if (state === undefined)
        throw new HoldfastError(ErrorCode.sessionEnded, "the upload session has ended");
      const { item, ended } = state;
      if (ended !== undefined) return this.#repeatedCommit(id, item, ended.snapshot);
      const header = checkCommit(object, {
        vault: this.id,
        device: device.id,
        item: item.id,
        group: device.group,
        epoch: this.#keys.epoch,
        head: item.head,
        sequence: item.sequence,
      });
      await this.waits.requireWhole(device.group, header.root);
      await writeFileDurably(this.snapshotPath(id), object);
      const received = this.#options.now().toISOString();
      // When this fails the file stays: if LMDB could not write its head, nobody knows whether the row is on disk, and a row
      // without its file is worse than a file without a row (orphanSnapshots.ts).
      await this.store.flush(() => {
        this.waits.requireRoot(device.group, header.root);
        this.catalog.commit(
          session,
          {
            id,
            device: device.id,
            item: item.id,
            group: device.group,
            sequence: header.sequence,
            keyEpoch: header.keyEpoch,
            root: toHex(header.root),
            received,
            incomplete: header.flags.incomplete,
            bytes: object.length,
          },
          previousOf(header),
        );
        this.waits.mark(id);
        if (figures !== undefined) this.catalog.retention.guard.noteCommit(id, figures);
      });
      this.#options.changed();
      this.waits.settleSoon();
      return { snapshot: id, received };
    });
  }

  /** A commit whose answer was lost is answered again. */
  #repeatedCommit(id: string, item: Item, snapshot: string | null): CommitAnswer {
    const row = snapshot === id ? this.catalog.snapshot(id) : undefined;
    if (row === undefined || row.item !== item.id) {
      throw new HoldfastError(ErrorCode.sessionEnded, "the upload session has ended", {
        next: "Run the backup again: what was uploaded counts.",
      });
    }
    return { snapshot: id, received: row.received };
  }

  /** The file of a snapshot's object. */
  snapshotPath(id: string): string {
    return join(this.#options.directory, "snapshots", id);
  }

  /**
   * The bytes of a snapshot object.
   * @throws HoldfastError chunk-missing, chunk-damaged
   */
  snapshotObject(snapshot: Snapshot): Promise<Buffer> {
    return readSnapshotObject(this.snapshotPath(snapshot.id), snapshot.id);
  }

  /** See quarantineRecords. */
  quarantine(group: number, ids: readonly Uint8Array[], reporter: string): Promise<SuspectAnswer> {
    return quarantineRecords(this, group, ids, { reporter, report: this.#options.report });
  }

  /** Finishes what is running and closes the vault. */
  async close(): Promise<void> {
    await this.waits.stop();
    await this.#turn;
    await this.#keptPart?.close();
    await this.store.close();
  }
}
