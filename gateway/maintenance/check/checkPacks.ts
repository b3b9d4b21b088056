// The first step of a check: which records are there, by the packs themselves.
//
// Memory: a bit for each record, a number for each open pack, one pack.

import { statSync } from "node:fs";
import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { Width } from "../../../vault/magic.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import type { PackRow } from "../../index/packTable.ts";
import { type ChunkRow, isHere } from "../../index/row.ts";
import { closedPackPath, openPackPath } from "../../store/packPaths.ts";
import { tailPath } from "../../store/packTails.ts";
import { inspectPack, inspectTail, metadataRecords, type NamedFile } from "../rebuild/packFile.ts";
import { readableRecords } from "../rebuild/salvage.ts";
import type { CheckedTables, CheckProblem } from "./checkTypes.ts";

export type PackCheckPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly tables: CheckedTables;
  readonly signal: AbortSignal;
  /** Resolves when so many bytes may be read. */
  readonly throttle: (bytes: number) => Promise<void>;
  readonly onProblem: (problem: CheckProblem) => void;
  /** Told of packs whose bytes were compared with their name. */
  readonly onHashed: (pack: PackRow) => void;
};

/** Records that were found where the index says. */
export class FoundRecords {
  readonly ordinals = new OrdinalSet();
  /** By pack: up to where it was looked at. Packs that are not here were not. */
  readonly #lookedAt = new Map<number, number>();

  /** Says that a pack was looked at up to `bytes`. */
  lookedAt(pack: number, bytes: number): void {
    this.#lookedAt.set(pack, bytes);
  }

  /** Whether a row's record is there; what came or moved since it was looked for counts as there. */
  has({ ordinal, pack, offset, length }: ChunkRow): boolean {
    const end = this.#lookedAt.get(pack);
    return end === undefined || offset + length > end || this.ordinals.has(ordinal);
  }
}

type PackedRecord = { readonly row: TrailerRow; readonly refs: Buffer | undefined };

/** Looks at one pack as it is now; `hashed`: all its bytes. @throws HoldfastError io-error; the signal's reason */
export async function checkPack(
  port: PackCheckPort,
  ordinal: number,
  hashed: boolean,
  found: FoundRecords,
): Promise<void> {
  port.signal.throwIfAborted();
  const pack = port.tables.packs.get(ordinal);
  if (pack === undefined) return;
  if (pack.state === "open") return checkOpen(port, pack, found);
  if (pack.state === "evicted") return checkEvicted(port, pack, found);
  const name = asBuffer(pack.name as Uint8Array);
  const file =
    fileOf(closedPackPath(port.directory, name), name) ?? fileOf(openPackPath(port.directory, ordinal), name);
  // It may have been evicted, or taken away, since it was looked up.
  if (file === undefined && port.tables.packs.get(ordinal)?.state !== "closed") {
    return checkPack(port, ordinal, hashed, found);
  }
  found.lookedAt(ordinal, Number.POSITIVE_INFINITY);
  const told = (why: string, records: number): void =>
    port.onProblem({ kind: "pack", name: toHex(name), why, records });
  if (file === undefined) return told("its file is not there", pack.records);
  await port.throttle(hashed ? file.bytes : Width.packHeader);
  const state = await inspectPack(file, hashed);
  // It went while it was read.
  if (!state.sound && port.tables.packs.get(ordinal)?.state !== "closed") {
    return checkPack(port, ordinal, hashed, found);
  }
  const why = state.sound ? mismatch(pack, file.bytes, state.rows.length) : state.why;
  if (why === undefined && state.sound) {
    const rows = (): PackedRecord[] => state.rows.map((row) => ({ row, refs: undefined }));
    const records = pack.kind === "meta" ? await metadataRecords(file.path) : rows();
    if (hashed || pack.kind === "meta") port.onHashed(pack);
    return take(port, pack, records, found);
  }
  const readable = await readableRecords(file.path);
  const before = found.ordinals.size;
  take(port, pack, readable, found);
  told(why as string, Math.max(0, pack.records - (found.ordinals.size - before)));
}

function mismatch(pack: PackRow, bytes: number, records: number): string | undefined {
  if (bytes !== pack.bytes) return `its file has ${bytes} bytes and not ${pack.bytes}`;
  if (records !== pack.records) return `it has ${records} records and not ${pack.records}`;
  return undefined;
}

async function checkOpen(port: PackCheckPort, pack: PackRow, found: FoundRecords): Promise<void> {
  found.lookedAt(pack.ordinal, pack.coveredBytes);
  const path = openPackPath(port.directory, pack.ordinal);
  const file = fileOf(path, Buffer.alloc(0));
  if (pack.coveredBytes === 0) return;
  // Closed meanwhile: its rows are looked at under its name.
  if (file === undefined && port.tables.packs.get(pack.ordinal)?.state !== "open") {
    return checkPack(port, pack.ordinal, false, found);
  }
  if (file === undefined) {
    const name = String(pack.ordinal);
    return port.onProblem({ kind: "pack", name, why: "its file is not there", records: pack.records });
  }
  await port.throttle(file.bytes);
  take(port, pack, await readableRecords(path), found);
}

async function checkEvicted(port: PackCheckPort, pack: PackRow, found: FoundRecords): Promise<void> {
  found.lookedAt(pack.ordinal, Number.POSITIVE_INFINITY);
  const name = asBuffer(pack.name as Uint8Array);
  const file = fileOf(tailPath(port.directory, name), name);
  const tail = file && (await inspectTail(file));
  const isKept = port.tables.places.of(pack.ordinal).some(({ place }) => place.listed);
  const facts = { name: toHex(name), records: 0 };
  if (!isKept) {
    port.onProblem({ kind: "place", ...facts, why: "it is evicted, and no replica is known to list it" });
  }
  if (tail === undefined) {
    // The tail is fetched again from where the pack is.
    if (!isKept)
      port.onProblem({ kind: "pack", ...facts, why: "its tail is not whole", records: pack.records });
    else found.lookedAt(pack.ordinal, 0);
    return;
  }
  take(
    port,
    pack,
    tail.rows.map((row) => ({ row, refs: undefined })),
    found,
  );
}

function fileOf(path: string, name: Buffer): NamedFile | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && { path, name, bytes: stats.size, mtimeMs: stats.mtimeMs };
}

/** Ids that are looked up at a time. */
const idsAtOnce = 4096;

/** Notes the records whose rows name this place, and holds their references against the index. */
function take(
  port: PackCheckPort,
  pack: PackRow,
  records: readonly PackedRecord[],
  found: FoundRecords,
): void {
  const { index } = port.tables;
  let wrongRefs = 0;
  for (const [group, own] of Map.groupBy(records, ({ row }) => row.group)) {
    for (let at = 0; at < own.length; at += idsAtOnce) {
      const some = own.slice(at, at + idsAtOnce);
      const rows = index.lookupBatch(group, Buffer.concat(some.map(({ row }) => row.id)));
      for (const [i, { row, refs }] of some.entries()) {
        const known = rows[i];
        if (known === undefined || !isHere(known) || known.pack !== pack.ordinal) continue;
        if (known.offset !== row.offset || known.length !== row.length || known.type !== row.type) continue;
        if (refs !== undefined && !sameRefs(port, group, refs, known.ordinal)) wrongRefs++;
        else found.ordinals.add(known.ordinal);
      }
    }
  }
  if (wrongRefs === 0) return;
  const name = pack.name === undefined ? String(pack.ordinal) : toHex(pack.name);
  const why = `the index has other references of ${wrongRefs} of its records`;
  port.onProblem({ kind: "index", name, why, records: wrongRefs });
}

function sameRefs(
  { tables: { index } }: PackCheckPort,
  group: number,
  refs: Buffer,
  ordinal: number,
): boolean {
  const known = index.refsOf(ordinal);
  const rows = index.lookupBatch(group, refs);
  return rows.length === known.length && rows.every((row, i) => row?.ordinal === known[i]);
}
