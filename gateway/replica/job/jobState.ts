// What a job (one vault in one replica) remembers, in the vault's index environment: where it is, parts that are under way, receipts.
//
// Invariants
// - Packs below `packCursor` are listed in the replica, or in `packsLeft`. Snapshots up to `snapshotCursor` (in the order of commits) are listed, or in
//   `snapshotsLeft`. Both move only in the transaction that notes a committed root.
// - A snapshot that is listed has a receipt, or is in `unreceipted`.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import type { IndexEnvironment } from "../../index/environment.ts";
import { GoneObjects } from "../../index/goneObjects.ts";
import type { PlaceProof } from "../../index/packPlaces.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";
import type { StoreUsage } from "../replicaStore.ts";
import type { JobFailure, JobState as State, UnsentPack } from "./replicationStatus.ts";
import { addUsage, noUsage } from "./storeUsage.ts";

export type JobRow = {
  readonly packCursor: number;
  /** Ordinals. */
  readonly packsLeft: readonly number[];
  readonly snapshotCursor: number;
  /** Numbers in the order of commits. */
  readonly snapshotsLeft: readonly number[];
  /** Snapshot ids. */
  readonly unreceipted: readonly string[];
  /** The newest root whose packs and snapshots are noted here; 0 for none. */
  readonly generation: number;
  /** How its packs are proven at least. `none`: another data directory put some of them, and they were not read back since. */
  readonly proof: PlaceProof;
  /** Of the keys document that this root names. */
  readonly keysGeneration: number;
  /** A root doomed packs, or was about to: all receipts are to be given anew. */
  readonly reissue?: boolean;
  /** SHA-256 of the text of its catalog, hex; empty when that is not known. */
  readonly catalogText: string;
  readonly failure: (JobFailure & { readonly state: State }) | null;
  readonly unsent: readonly UnsentPack[];
  readonly usage: StoreUsage & { readonly snapshots: number; readonly runs: number };
};

const fresh: JobRow = {
  packCursor: 0,
  packsLeft: [],
  snapshotCursor: 0,
  snapshotsLeft: [],
  unreceipted: [],
  generation: 0,
  proof: "hashed",
  keysGeneration: 0,
  catalogText: "",
  failure: null,
  unsent: [],
  usage: { ...noUsage, snapshots: 0, runs: 0 },
};

const jobsTable = "replica-jobs";

/** Replicas (32 hex digits) that have a job in this vault. */
export function jobReplicas(environment: IndexEnvironment): string[] {
  return openTable(environment, jobsTable, jsonCodec<JobRow>())
    .entries()
    .map(([key]) => toHex(key));
}

export class JobState {
  readonly #environment: IndexEnvironment;
  readonly #replica: Buffer;
  /** By replica. */
  readonly #jobs: Table<JobRow>;
  /** By replica and pack name. */
  readonly #parts: Table<string>;
  /** By replica and snapshot id. */
  readonly #receipts: Table<string>;

  /** `replica`: 32 hex digits. */
  constructor(environment: IndexEnvironment, replica: string) {
    this.#environment = environment;
    this.#replica = fromHex(replica, 16);
    this.#jobs = openTable(environment, jobsTable, jsonCodec<JobRow>());
    this.#parts = openTable(environment, "replica-parts", jsonCodec<string>());
    this.#receipts = openTable(environment, "replica-receipts", jsonCodec<string>());
  }

  get row(): JobRow {
    return this.#jobs.get(this.#replica) ?? fresh;
  }

  /** Changes members of the row. Part of the open transaction, or one of its own. */
  change(change: Partial<JobRow>): void {
    this.#environment.write(() => this.#jobs.put(this.#replica, { ...this.row, ...change }));
  }

  /** What a put of this pack that was interrupted left behind. */
  part(pack: Uint8Array): string | undefined {
    return this.#parts.get(this.#key(pack));
  }

  /** Notes what a put that is under way leaves behind; undefined: nothing. */
  setPart(pack: Uint8Array, resume: string | undefined): void {
    const key = this.#key(pack);
    if (resume === undefined && !this.#parts.has(key)) return;
    this.#environment.write(() => {
      if (resume === undefined) this.#parts.remove(key);
      else this.#parts.put(key, resume);
    });
  }

  /** The receipt of a snapshot (64 hex digits), two lines of text. */
  receipt(snapshot: string): string | undefined {
    return this.#receipts.get(this.#key(fromHex(snapshot, 32)));
  }

  /** Whether there is one. */
  hasReceipt(snapshot: string): boolean {
    return this.#receipts.has(this.#key(fromHex(snapshot, 32)));
  }

  /** Stores receipts by snapshot id; these snapshots count as offsite from then on. */
  putReceipts(receipts: ReadonlyMap<string, string>): void {
    this.#environment.write(() => {
      const added = [...receipts.keys()].filter((snapshot) => !this.hasReceipt(snapshot)).length;
      for (const [snapshot, text] of receipts) this.#receipts.put(this.#key(fromHex(snapshot, 32)), text);
      const { row } = this;
      this.change({
        unreceipted: row.unreceipted.filter((id) => !receipts.has(id)),
        usage: { ...row.usage, snapshots: row.usage.snapshots + added },
      });
    });
  }

  /** Part of the open transaction, or one of its own: snapshots left the vault. */
  forgetSnapshots(ids: readonly string[]): void {
    this.#environment.write(() => {
      for (const id of ids) this.#receipts.remove(this.#key(fromHex(id, 32)));
      const { unreceipted } = this.row;
      const left = unreceipted.filter((id) => !ids.includes(id));
      if (left.length < unreceipted.length) this.change({ unreceipted: left });
    });
  }

  /** Adds what a run asked of the store. */
  addUsage(used: StoreUsage): void {
    this.#environment.write(() => {
      const { usage } = this.row;
      const { snapshots, runs } = usage;
      this.change({ usage: { ...addUsage(usage, used), snapshots, runs: runs + 1 } });
    });
  }

  /** Forgets the job. Part of the open transaction, or one of its own. */
  forget(): void {
    this.#environment.write(() => {
      this.#jobs.remove(this.#replica);
      new GoneObjects(this.#environment).clear(toHex(this.#replica));
      for (const table of [this.#parts, this.#receipts]) {
        for (const [key] of table.entries({ start: this.#replica })) {
          if (toHex(key.subarray(0, 16)) !== toHex(this.#replica)) break;
          table.remove(key);
        }
      }
    });
  }

  #key(name: Uint8Array): Buffer {
    return Buffer.concat([this.#replica, name]);
  }
}
