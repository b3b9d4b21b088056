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
import { equalBytes, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { PackKind, Width } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
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
import { type PackContents, packRecord } from "../../store/packRecords.ts";
import { checkedContents } from "./packChecks.ts";
import { type PackedPlaces, PlacesMaker, placeWords } from "./packedPlaces.ts";

/** Smaller packs are not kept as they are: their records go to the open packs, which saves a file and two flushes for each. */
const keptBytesMin = 8 * 2 ** 20;
/** Records of one batch that is stored like an upload's. */
const batchBytesMax = 8 * 2 ** 20;

/** kept: the pack is here as it is; merged: the records that were missing; present: none was missing. */
export type PackOutcome = "kept" | "merged" | "present";

export type ReadyPack = {
  readonly row: SeedPackRow;
  /** They hold the pack; those of a small one, others too. */
  readonly bytes: Buffer;
  readonly places: PackedPlaces;
  /** The first 16 bytes of the SHA-256 of each record, where they were taken. */
  readonly hashes?: Buffer;
  /** Of one that is not kept known when it was admitted: some of it may be here. */
  readonly outcome: PackOutcome;
  /** Of one that is to be kept. */
  readonly contents?: PackContents;
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
    const contents = checkedContents(row, bytes, this.epochMax);
    const maker = new PlacesMaker(contents.rows.length);
    maker.add(contents.rows);
    const places = maker.finish();
    this.#requireMayBring(places);
    const looks = dryRun || row.bytes >= keptBytesMin;
    const outcome = looks ? this.#outcome(row, bytes, places) : "merged";
    if (outcome === "kept" && !dryRun) await this.#keep(row.name, bytes);
    return { row, bytes, places, outcome, contents };
  }

  /** The same for a small pack that another thread held against its name and looked through. @throws HoldfastError corrupt */
  prepareSmall(small: Omit<ReadyPack, "outcome" | "contents">, dryRun = false): ReadyPack {
    const { row, bytes, places } = small;
    this.#requireMayBring(places);
    return { ...small, outcome: dryRun ? this.#outcome(row, bytes, places) : "merged" };
  }

  /** Newest key epoch of the vault. */
  get epochMax(): number {
    return this.#vault.keys.epoch;
  }

  #requireMayBring({ words }: PackedPlaces): void {
    let allowed: number | undefined;
    for (let at = 0; at < words.length; at += placeWords) {
      const group = words[at + 2]!;
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

  #outcome(row: SeedPackRow, bytes: Buffer, { words }: PackedPlaces): PackOutcome {
    let newBytes = 0;
    let allBytes = 0;
    const places = Array.from({ length: words.length / placeWords }, (_, i) => i * placeWords);
    for (const [group, members] of Map.groupBy(places, (at) => words[at + 2]!)) {
      const ids = members.map((at) => parseRecordHeader(bytes.subarray(words[at])).id);
      const here = this.#vault.store.lookupBatch(group, Buffer.concat(ids));
      for (const [i, at] of members.entries()) {
        allBytes += words[at + 1]!;
        if (here[i] === undefined) newBytes += words[at + 1]!;
      }
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
  async admitKept({ row, bytes, contents }: ReadyPack): Promise<Admitted> {
    if (contents === undefined) throw new Error(`pack ${toHex(row.name)} was not prepared to be kept`);
    const { rows, nonce } = contents;
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
    for (const [i, { bytes, places, hashes, outcome }] of packs.entries()) {
      if (outcome === "present") continue;
      const { words, writers } = places;
      for (let at = 0; at < words.length; at += placeWords) {
        const [offset, length] = [words[at]!, words[at + 1]!];
        const [group, writer] = [words[at + 2]!, writers[words[at + 3]!]!];
        if (batch !== undefined && !continues(batch, group, writer, hashes)) send();
        batch ??= { group, writer, records: [], hashes: hashes && [], bytes: 0, counts: [] };
        batch.records.push(bytes.subarray(offset, offset + length));
        if (hashes !== undefined) {
          const hashAt = (at / placeWords) * Width.recordHash;
          batch.hashes?.push(hashes.subarray(hashAt, hashAt + Width.recordHash));
        }
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

  async #store({ group, writer, records, hashes, counts }: Batch): Promise<void> {
    const answer = await this.#vault.admit({ id: toHex(writer), group }, records, { hashes });
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
  readonly writer: Uint8Array;
  readonly records: Buffer[];
  readonly hashes: Buffer[] | undefined;
  readonly counts: { taken: number; refused: number }[];
  bytes: number;
};

/** Whether a record may stand in a batch: of one, all records have their hashes, or none. */
function continues(batch: Batch, group: number, writer: Uint8Array, hashes: Buffer | undefined): boolean {
  const { hashes: own } = batch;
  return (
    group === batch.group &&
    equalBytes(writer, batch.writer) &&
    (own === undefined) === (hashes === undefined)
  );
}
