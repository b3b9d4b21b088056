// Is everything there that a vault's snapshots reach, as far as can be told without keys? Packs are held against the index, and the index against
// what snapshots reach by clear references.
//
// It only reads, beside everything else that a gateway does. What moves meanwhile (a pack that is closed, evicted or written anew, a row that is
// swung) counts as there: only what was there from the beginning to the end and is wrong is told.
// Memory: two bits for each record, and what is lacking.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { ScanCursor } from "../../index/buckets.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import { packSlices } from "../../index/packSlices.ts";
import type { PackRow } from "../../index/packTable.ts";
import { isHere, rowFlags } from "../../index/row.ts";
import { walkBelow } from "../../index/walkBelow.ts";
import { rootOf } from "../../replica/restore/snapshots.ts";
import { readSnapshotObject } from "../../snapshotObject.ts";
import { type HurtSnapshot, hurtIdsMax } from "../rebuild/markHurt.ts";
import { namedFiles } from "../rebuild/packFile.ts";
import { checkPack, FoundRecords } from "./checkPacks.ts";
import type { CheckedTables, CheckProblem, CheckProgress, VaultCheck } from "./checkTypes.ts";

export type CheckOptions = {
  /** 32 hex digits. */
  readonly vault: string;
  readonly directory: string;
  readonly tables: CheckedTables;
  /** Brings what is in memory alone into the tables. */
  readonly flush: () => Promise<unknown>;
  /** Packs whose bytes are compared with their names; metadata packs always are. */
  readonly isHashed: (pack: PackRow) => boolean;
  readonly throttle: (bytes: number) => Promise<void>;
  /** Told of packs that were found to have their name's hash. */
  readonly onHashed: (pack: PackRow) => void;
  readonly onProgress: (progress: CheckProgress) => void;
  readonly signal: AbortSignal;
};

/** Problems that are listed. */
const listedMax = 10_000;
/** Buckets that are looked at in one turn of the event loop. */
const bucketsAtOnce = 512;

/** @throws HoldfastError io-error; the signal's reason */
export function checkVault(options: CheckOptions): Promise<VaultCheck> {
  return new Check(options).run();
}

class Check {
  readonly #options: CheckOptions;
  readonly #found = new FoundRecords();
  /** Records with a row that is as it should be. */
  readonly #sound = new OrdinalSet();
  /** First half of the id of records that are not, hex, by ordinal. */
  readonly #bad = new Map<number, string>();
  readonly #problems: CheckProblem[] = [];
  #more = 0;
  #progress: CheckProgress = { phase: "packs", packs: 0, packsTotal: 0, bytes: 0, bytesTotal: 0 };

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async run(): Promise<VaultCheck> {
    const { tables, vault, flush } = this.#options;
    await flush();
    // Before the rows: what these reach was there, and is looked at after.
    const snapshots = tables.catalog.allSnapshots();
    const packs: { ordinal: number; bytes: number }[] = [];
    for await (const rows of packSlices(tables.packs)) {
      packs.push(...rows.map(({ ordinal, bytes }) => ({ ordinal, bytes })));
    }
    const hashed = await this.#packs(packs);
    const rows = await this.#rows();
    const hurt: HurtSnapshot[] = [];
    const whole = new OrdinalSet();
    for (const snapshot of snapshots) {
      const found = await this.#snapshot(snapshot, whole);
      // One that left for good meanwhile lost what only it needed.
      if (found !== undefined && tables.catalog.snapshot(snapshot.id) !== undefined) hurt.push(found);
    }
    return {
      vault,
      packs: packs.length,
      ...rows,
      ...hashed,
      snapshots: snapshots.length,
      problems: this.#problems,
      moreProblems: this.#more,
      hurt,
      strays: this.#strays(),
    };
  }

  #tell(problem: CheckProblem): void {
    if (this.#problems.length < listedMax) this.#problems.push(problem);
    else this.#more++;
  }

  async #packs(
    packs: readonly { readonly ordinal: number; readonly bytes: number }[],
  ): Promise<Pick<VaultCheck, "evicted" | "hashedPacks" | "hashedBytes">> {
    const { directory, tables, throttle, signal, isHashed } = this.#options;
    const counts = { evicted: 0, hashedPacks: 0, hashedBytes: 0 };
    const onHashed = (pack: PackRow): void => {
      counts.hashedPacks++;
      counts.hashedBytes += pack.bytes;
      this.#options.onHashed(pack);
    };
    const onProblem = (problem: CheckProblem): void => this.#tell(problem);
    const port = { directory, tables, throttle, signal, onProblem, onHashed };
    const bytesTotal = packs.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#step({ packsTotal: packs.length, bytesTotal });
    for (const { ordinal, bytes } of packs) {
      const row = tables.packs.get(ordinal);
      if (row?.state === "evicted") counts.evicted++;
      await checkPack(port, ordinal, row?.state === "closed" && isHashed(row), this.#found);
      const { packs: done, bytes: seen } = this.#progress;
      this.#step({ packs: done + 1, bytes: seen + bytes });
    }
    return counts;
  }

  /** Every row names a record that is there. */
  async #rows(): Promise<Pick<VaultCheck, "records" | "needed">> {
    const { index, packs } = this.#options.tables;
    const counts = { records: 0, needed: 0 };
    /** Rows that name nothing, by pack. */
    const lost = new Map<number, number>();
    let cursor: ScanCursor | undefined;
    do {
      this.#options.signal.throwIfAborted();
      cursor = index.scan(cursor, bucketsAtOnce, (_group, prefix, row) => {
        counts.records++;
        if (row.flags & rowFlags.needed) counts.needed++;
        // What is promised is on its way: a snapshot that waits for it is marked as pending, and is not hurt.
        const isPromised = (row.flags & rowFlags.promised) !== 0;
        if (isPromised || (isHere(row) && this.#found.has(row))) this.#sound.add(row.ordinal);
        else {
          if (isHere(row)) lost.set(row.pack, (lost.get(row.pack) ?? 0) + 1);
          if (this.#bad.size < 10 * listedMax) this.#bad.set(row.ordinal, toHex(prefix));
        }
      });
      this.#step({ phase: "rows" });
      await new Promise((resolve) => setImmediate(resolve));
    } while (cursor !== undefined);
    const told = new Set(this.#problems.filter(({ kind }) => kind === "pack").map(({ name }) => name));
    for (const [ordinal, records] of lost) {
      const pack = packs.get(ordinal);
      const name = pack?.name === undefined ? String(ordinal) : toHex(pack.name);
      // Records that a damaged pack has lost are its problem, not the index's.
      if (told.has(name)) continue;
      const why = `${records} rows of the index name records that are not in it`;
      this.#tell({ kind: "index", name, why, records });
    }
    return counts;
  }

  /** What a snapshot lacks; undefined for a whole one, or one that is gone meanwhile. */
  async #snapshot(snapshot: Snapshot, whole: OrdinalSet): Promise<HurtSnapshot | undefined> {
    const { directory, tables, signal } = this.#options;
    signal.throwIfAborted();
    this.#step({ phase: "snapshots" });
    const { id, item, received } = snapshot;
    const path = join(directory, "snapshots", id);
    const damage = await readSnapshotObject(path, id).then(
      () => undefined,
      (error: unknown) => {
        if (isHoldfastError(error)) return error.message;
        throw error;
      },
    );
    if (tables.catalog.snapshot(id) === undefined) return undefined;
    if (damage !== undefined) this.#tell({ kind: "snapshot", name: id, why: damage, records: 0 });
    const root = tables.index.lookup(snapshot.group, rootOf(snapshot));
    if (root === undefined) {
      this.#tell({ kind: "index", name: id, why: "the root of the snapshot has no row", records: 1 });
      return { id, item, received, lacking: 1, ids: [snapshot.root.slice(0, 32)] };
    }
    const ids: string[] = [];
    let lacking = 0;
    let unknown = 0;
    const seen = new OrdinalSet();
    const visit = (ordinal: number): "on" => {
      if (this.#sound.has(ordinal)) return "on";
      lacking++;
      const prefix = this.#bad.get(ordinal);
      if (prefix === undefined) unknown++;
      else if (ids.length < hurtIdsMax) ids.push(prefix);
      return "on";
    };
    await walkBelow(tables.index, root.ordinal, visit, seen, whole);
    if (unknown > 0) {
      this.#tell({ kind: "index", name: id, why: `${unknown} references lead to no row`, records: unknown });
    }
    if (lacking > 0) return { id, item, received, lacking, ids };
    whole.addAll(seen);
    return undefined;
  }

  /** Files of packs and snapshots that no row names: left-overs that cost room, or what an index has lost. */
  #strays(): string[] {
    const { directory, tables } = this.#options;
    const strays: string[] = [];
    for (const kind of ["packs", "tails"] as const) {
      for (const { path, name } of namedFiles(directory, kind)) {
        if (tables.packs.ordinalOf(name) === undefined) strays.push(path);
      }
    }
    const folder = join(directory, "snapshots");
    for (const name of readdirSync(folder)) {
      if (/^[0-9a-f]{64}$/.test(name) && tables.catalog.snapshot(name) === undefined)
        strays.push(join(folder, name));
    }
    return strays.slice(0, listedMax);
  }

  #step(more: Partial<CheckProgress>): void {
    this.#progress = { ...this.#progress, ...more };
    this.#options.onProgress(this.#progress);
  }
}
