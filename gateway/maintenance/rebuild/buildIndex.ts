// A new index from packs that can be trusted (settlePacks.ts), and what is known besides.
//
// Invariants
// - Rows are made as `restore-from` makes them: data first, metadata children first; a record that refers to one that is nowhere counts only
//   where a snapshot would be lost without it, and then what is lacking stands on the need-list.
// - Items, snapshots and marks come in the transaction that carries the last rows.
// Memory: the overlay's, one pack, and a row of this process for each pack and snapshot.

import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { admitMetadata, type MetadataRecord, settleWaiting } from "../../replica/restore/admitMetadata.ts";
import type { NamedPack } from "../../replica/restore/indexPacks.ts";
import { RecordAdmission } from "../../replica/restore/recordAdmission.ts";
import { itemsOf, rootOf } from "../../replica/restore/snapshots.ts";
import { VaultTables } from "../../replica/restore/vaultTables.ts";
import { fileError, readFully } from "../../store/files.ts";
import { packContents } from "../../store/packRecords.ts";
import { readTailOf } from "../../store/packTails.ts";
import type { KnownRows } from "./knownRows.ts";
import { type HurtSnapshot, markHurt } from "./markHurt.ts";
import { metadataRecords, metadataRecordsOf, parseTail } from "./packFile.ts";
import { wholeRecords } from "./salvage.ts";
import type { KnownPack } from "./settlePacks.ts";

export type BuildPort = {
  /** The vault's directory. */
  readonly directory: string;
  /** Folder in it that the new environment gets. */
  readonly folder: string;
  readonly key: string | undefined;
  readonly writerOrdinal: (device: Uint8Array) => number;
  readonly signal: AbortSignal;
  /** Told of each pack whose records are in. */
  readonly indexed: (bytes: number) => void;
};

export type BuiltIndex = {
  readonly packs: number;
  readonly records: number;
  readonly snapshots: number;
  readonly hurt: readonly HurtSnapshot[];
};

/** Packs that are entered in one transaction. */
const packsAtOnce = 1024;
const noRefs = Buffer.alloc(0);
/** Of a copy that was wrong, and is not in any pack any more. */
const noPlace = { pack: null, offset: 0, length: 0 };

/**
 * Builds it; what is left of a build that was stopped goes first.
 * @throws HoldfastError disk-full, io-error; the signal's reason
 */
export async function buildIndex(
  port: BuildPort,
  packs: readonly KnownPack[],
  known: KnownRows,
  snapshots: readonly Snapshot[],
): Promise<BuiltIndex> {
  const folder = join(port.directory, port.folder);
  await rm(folder, { recursive: true, force: true });
  const tables = new VaultTables(port.directory, port.folder, port.key);
  try {
    const sources = enterPacks(tables, packs, known);
    const names = new Set(packs.map(({ name }) => toHex(name)));
    const needs = known.part.needs.map((need) =>
      names.has(need.pack ?? "") ? need : { ...need, ...noPlace },
    );
    const admission = new RecordAdmission(tables, needs, port.writerOrdinal);
    for (const [ordinal, pack] of sources) {
      if (pack.kind !== "data") continue;
      port.signal.throwIfAborted();
      const row = tables.packs.get(ordinal) as NamedPack;
      for (const record of await dataRows(pack)) {
        await admission.room();
        admission.admit(row, record, noRefs);
      }
      tables.overlay.cover(ordinal, pack.bytes);
      port.indexed(pack.bytes);
    }
    const source = {
      signal: port.signal,
      records: async ({ ordinal }: NamedPack) => recordsOf(sources.get(ordinal) as KnownPack),
    };
    const waiting = await admitMetadata(source, tables, admission);
    const rootless = (): Snapshot[] =>
      snapshots.filter((snapshot) => tables.overlay.lookup(snapshot.group, rootOf(snapshot)) === undefined);
    await settleWaiting(source, tables, admission, waiting, rootless().length > 0);
    for (const snapshot of rootless()) admission.standIn(snapshot.group, rootOf(snapshot));
    for (const { kind, bytes } of packs) if (kind === "meta") port.indexed(bytes);
    await enterSnapshots(tables, admission, known, snapshots);
    const hurt = await markHurt(tables, snapshots, port.signal);
    return { packs: packs.length, records: tables.index.count(), snapshots: snapshots.length, hurt };
  } finally {
    await tables.close();
  }
}

/** Rows of all packs; answers where each can be read, by ordinal. */
function enterPacks(
  { environment, packs: table, places }: VaultTables,
  packs: readonly KnownPack[],
  known: KnownRows,
): Map<number, KnownPack> {
  const sources = new Map<number, KnownPack>();
  for (let at = 0; at < packs.length; at += packsAtOnce) {
    environment.write(() => {
      for (const pack of packs.slice(at, at + packsAtOnce)) {
        const ordinal = table.enter(pack);
        table.describe(ordinal, pack);
        if (pack.from !== "tail") table.setState(ordinal, "closed");
        sources.set(ordinal, pack);
      }
    });
  }
  environment.write(() => {
    for (const { pack, replica, place } of known.places) {
      const ordinal = table.ordinalOf(Buffer.from(pack, "hex"));
      if (ordinal !== undefined) places.put(ordinal, replica, place);
    }
  });
  return sources;
}

async function dataRows(pack: KnownPack): Promise<readonly TrailerRow[]> {
  const { from, path, bytes, name, nonce, wrong, load } = pack;
  if (load !== undefined) return packContents(await load()).rows;
  if (from === "salvage") return (await wholeRecords(path, wrong)).map(({ row }) => row);
  try {
    if (from === "tail") return parseTail(await readFile(path)).rows;
    await using file = await open(path, "r");
    const tail = await readTailOf({ name, bytes, nonce }, async (offset, length) => {
      const piece = Buffer.alloc(length);
      return piece.subarray(0, await readFully(file.fd, piece, offset));
    });
    return parseTail(tail).rows;
  } catch (error) {
    throw fileError(error, path);
  }
}

async function recordsOf({ from, path, wrong, load }: KnownPack): Promise<Iterable<MetadataRecord>> {
  if (load !== undefined) return metadataRecordsOf(await load());
  return from === "salvage" ? wholeRecords(path, wrong) : metadataRecords(path);
}

async function enterSnapshots(
  tables: VaultTables,
  admission: RecordAdmission,
  { part }: KnownRows,
  snapshots: readonly Snapshot[],
): Promise<void> {
  const ids = new Set(snapshots.map(({ id }) => id));
  const { marks, trash, ...rest } = part.retention;
  const retention = {
    ...rest,
    marks: marks.filter(({ snapshot }) => ids.has(snapshot)),
    trash: trash.filter(({ snapshot }) => ids.has(snapshot)),
  };
  await tables.overlay.flush(() => {
    for (const need of admission.needs()) tables.needs.restore(need);
    tables.catalog.restore(itemsOf(part, snapshots), snapshots, Math.max(part.changes, snapshots.length));
    tables.catalog.retention.restore(retention);
    tables.catalog.definitions.restore(part.definitions);
    for (const { head } of tables.catalog.items()) {
      if (head !== null) tables.catalog.retention.takeFromTrash(head);
    }
  });
}
