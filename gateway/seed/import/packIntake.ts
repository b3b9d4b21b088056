// Takes packs of a box into a vault (docs/concurrency.md, "Importing a box").
//
// Invariants
// - Nothing of a pack counts before all of its bytes had the hash that is its name, and were durable under it (or, of a pack that is not
//   kept as it is, before its records were stored as an upload's are).
// - Packs are admitted one after the other in the order of the manifest: children before parents.
// - A pack is settled by the flush that carries the rows of all its records, in that flush's transaction.
// - A pack with anything inside that is no record of this vault's kind is refused as a whole, before anything of it is written.

import { constants } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { PackKind } from "../../../vault/magic.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { OpenVault } from "../../openVault.ts";
import {
  closeDescriptor,
  fdatasync,
  fileError,
  makeFolderDurably,
  openDescriptor,
  syncDirectory,
  writeFully,
} from "../../store/files.ts";
import { closedPackFolder, closedPackPath } from "../../store/packPaths.ts";
import { contentsAgain, packRecord } from "../../store/packRecords.ts";
import { checkedContents } from "./packChecks.ts";

/** Smaller packs are not kept as they are: their records go to the open packs, which saves a file and two flushes for each. */
const keptBytesMin = 8 * 2 ** 20;
/** Records of one batch that is stored like an upload's. */
const batchBytesMax = 8 * 2 ** 20;

/** kept: the pack is here as it is; merged: the records that were missing; present: none was missing. */
export type PackOutcome = "kept" | "merged" | "present";

export type ReadyPack = {
  readonly row: SeedPackRow;
  readonly bytes: Buffer;
  readonly rows: readonly TrailerRow[];
  readonly nonce: Buffer;
  /** Of one that is not kept known when it was admitted: some of it may be here. */
  readonly outcome: PackOutcome;
};

/** `refused`: how many records were left out, because something that they refer to is neither here nor promised. */
export type Admitted = { readonly outcome: PackOutcome; readonly refused: number };

export type PackIntakeOptions = {
  /** The vault's. */
  readonly directory: string;
  readonly writerOrdinal: (device: Uint8Array) => number;
  /** Whether the box may bring records of a group: else it could answer for devices that it was not made for. */
  readonly mayBring: (group: number) => boolean;
};

export class PackIntake {
  readonly #vault: OpenVault;
  readonly #directory: string;
  readonly #writerOrdinal: (device: Uint8Array) => number;
  readonly #mayBring: (group: number) => boolean;
  readonly #folders = new Set<string>();

  constructor(vault: OpenVault, options: PackIntakeOptions) {
    this.#vault = vault;
    this.#directory = options.directory;
    this.#writerOrdinal = options.writerOrdinal;
    this.#mayBring = options.mayBring;
  }

  /**
   * What is to become of a pack whose bytes have its name's hash; where it is kept, its file is durable when this resolves. Any number at a time.
   * @throws HoldfastError corrupt, truncated, unsupported for a pack that is none inside; disk-full, io-error
   */
  async prepare(row: SeedPackRow, bytes: Buffer, dryRun = false): Promise<ReadyPack> {
    const { nonce, rows } = checkedContents(row, bytes, this.epochMax);
    this.#requireMayBring(rows);
    const looks = dryRun || row.bytes >= keptBytesMin;
    const outcome = looks ? this.#outcome(row, rows) : "merged";
    if (outcome === "kept" && !dryRun) await this.#keep(row.name, bytes);
    return { row, bytes, rows, nonce, outcome };
  }

  /** The same for a small pack that another thread held against its name and looked through. @throws HoldfastError corrupt */
  prepareSmall(row: SeedPackRow, bytes: Buffer, dryRun = false): ReadyPack {
    const { nonce, rows } = contentsAgain(bytes);
    this.#requireMayBring(rows);
    return { row, bytes, rows, nonce, outcome: dryRun ? this.#outcome(row, rows) : "merged" };
  }

  /** Newest key epoch of the vault. */
  get epochMax(): number {
    return this.#vault.keys.epoch;
  }

  #requireMayBring(rows: readonly TrailerRow[]): void {
    let allowed: number | undefined;
    for (const { group } of rows) {
      if (group === allowed) continue;
      if (!this.#mayBring(group)) {
        throw new HoldfastError(
          ErrorCode.corrupt,
          `it has records of group ${group}, for which the box was not made`,
        );
      }
      allowed = group;
    }
  }

  #outcome(row: SeedPackRow, rows: readonly TrailerRow[]): PackOutcome {
    let newBytes = 0;
    let allBytes = 0;
    for (const [group, members] of Map.groupBy(rows, (each) => each.group)) {
      const here = this.#vault.store.lookupBatch(group, Buffer.concat(members.map(({ id }) => id)));
      members.forEach(({ length }, i) => {
        allBytes += length;
        if (here[i] === undefined) newBytes += length;
      });
    }
    if (newBytes === 0) return "present";
    const keeps = row.bytes >= keptBytesMin && newBytes * 2 >= allBytes && !this.#isEvicted(row.name);
    return keeps ? "kept" : "merged";
  }

  /** A pack that was kept before and is in replicas alone now is left to eviction; what it lacks here comes as records. */
  #isEvicted(name: Uint8Array): boolean {
    const { packs } = this.#vault.store;
    const known = packs.ordinalOf(name);
    return known !== undefined && packs.get(known)?.state === "evicted";
  }

  async #keep(name: Uint8Array, bytes: Buffer): Promise<void> {
    const folder = closedPackFolder(this.#directory, name);
    const path = closedPackPath(this.#directory, name);
    const temporary = `${path}.tmp`;
    try {
      // As for uploads: the file system keeps what the database needs for its own work.
      await this.#vault.store.room();
      if (!this.#folders.has(folder)) {
        await makeFolderDurably(join(this.#directory, "packs"));
        await makeFolderDurably(folder);
        this.#folders.add(folder);
      }
      const fd = await openDescriptor(
        temporary,
        constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
        0o600,
      );
      try {
        await writeFully(fd, [bytes], 0);
        await fdatasync(fd);
      } finally {
        await closeDescriptor(fd);
      }
      await rename(temporary, path);
      await syncDirectory(folder);
    } catch (error) {
      await rm(temporary, { force: true });
      throw fileError(error, path);
    }
  }

  /**
   * Admits the records of a pack that is kept. Call it in the order of the manifest, when all that was stored before is done.
   * @throws HoldfastError disk-full, io-error, cancelled
   */
  async admitKept({ row, bytes, rows, nonce }: ReadyPack): Promise<Admitted> {
    const { store } = this.#vault;
    const { packs, overlay, promised } = store;
    const ordinal = store.environment.write(() => {
      const kind = row.kind === PackKind.data ? "data" : "meta";
      const entered = packs.enter({ name: row.name, kind, bytes: row.bytes });
      packs.describe(entered, { nonce, records: rows.length });
      packs.setState(entered, "closed");
      return entered;
    });
    let refused = 0;
    for (const each of rows) {
      const { header } = packRecord(bytes, each);
      if (overlay.full) await overlay.flush();
      const refs = promised.rely(each.group, header.refs);
      if (refs.includes(undefined)) {
        refused++;
        continue;
      }
      const { group, id, offset, length, type } = each;
      const place = { pack: ordinal, offset, length, type, writer: this.#writerOrdinal(each.writer) };
      overlay.admit(group, id, place, refs.length === 0 ? undefined : (refs as number[]));
    }
    // What is left out comes when what it refers to is here, with a later run; nothing that was acknowledged rests on it.
    overlay.cover(ordinal, row.bytes);
    return { outcome: "kept", refused };
  }

  /**
   * Stores the missing records of packs that are not kept, as an upload's. Call it in the order of the manifest; what is called next need not
   * wait for it, since the store keeps the order.
   * @returns what came of each
   * @throws HoldfastError as `admitKept`
   */
  async admitRecords(packs: readonly ReadyPack[]): Promise<Admitted[]> {
    const counts = packs.map(() => ({ taken: 0, refused: 0 }));
    const batches: Promise<void>[] = [];
    let batch: Batch | undefined;
    const send = (): void => {
      if (batch !== undefined) batches.push(this.#store(batch));
      batch = undefined;
    };
    for (const [i, { bytes, rows, outcome }] of packs.entries()) {
      if (outcome === "present") continue;
      for (const { group, writer, offset, length } of rows) {
        if (batch !== undefined && (group !== batch.group || !writer.equals(batch.writer))) send();
        batch ??= { group, writer, records: [], bytes: 0, counts: [] };
        batch.records.push(bytes.subarray(offset, offset + length));
        batch.counts.push(counts[i]!);
        batch.bytes += length;
        if (batch.bytes >= batchBytesMax) send();
      }
    }
    send();
    for (const result of await Promise.allSettled(batches)) {
      if (result.status === "rejected") throw result.reason;
    }
    return counts.map(({ taken, refused }) => ({
      refused,
      outcome: taken + refused > 0 ? "merged" : "present",
    }));
  }

  async #store({ group, writer, records, counts }: Batch): Promise<void> {
    const answer = await this.#vault.admit({ id: toHex(writer), group }, records);
    if (answer.malformed !== undefined) throw answer.malformed;
    for (const [i, status] of answer.statuses.entries()) {
      if (status === RecordStatus.waits) counts[i]!.refused++;
      else if (status !== RecordStatus.present) counts[i]!.taken++;
    }
  }
}

/** Records of one writer for the open packs, and the counts of the pack that each is of. */
type Batch = {
  readonly group: number;
  readonly writer: Buffer;
  readonly records: Buffer[];
  readonly counts: { taken: number; refused: number }[];
  bytes: number;
};
