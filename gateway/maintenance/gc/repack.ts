// Writes packs anew of which little lives, or that are small: copies first, durable, then rows, then the old pack goes (docs/concurrency.md).
//
// Invariants
// - A row names a copy only in a transaction that carries the covered mark of the pack that it is in, behind the fdatasync of the copy.
// - A row is changed only where it still names the old place. A pack goes only when none of its records is named by a row there.
// - Memory: the rows of one pack, and 4 MiB of its records at a time.

import { toHex } from "../../../vault/bytes.ts";
import { HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { Width } from "../../../vault/magic.ts";
import { openTrailer, parseFooter } from "../../../vault/pack/footer.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { CopiedPacks } from "../../index/copiedPacks.ts";
import type { PackRow } from "../../index/packTable.ts";
import type { Location, RecordToStore } from "../../store/recordToStore.ts";
import type { Collection } from "./collection.ts";
import type { PackCensus } from "./packCensus.ts";
import { removePacks } from "./sweep.ts";

/** Bytes of records that are copied together. */
const portionBytes = 4 * 2 ** 20;
/** Old packs that go together, one of these: each lot waits for reads that are under way. */
const packsPerLot = 256;
const bytesPerLot = 512 * 2 ** 20;

export type RepackBudget = {
  /** Bytes that may be copied. */
  readonly bytes: number;
  /** Whether there is time for another pack. */
  readonly hasTime: () => boolean;
};

export type Repacked = {
  readonly packs: number;
  readonly copiedBytes: number;
  /** Of the packs that went. */
  readonly removedBytes: number;
  /** Packs that could not be copied whole. */
  readonly damaged: number;
  /** Packs that the budget left for another run. */
  readonly left: number;
  readonly waiting: number;
};

/** Packs are written anew, in their order. @throws HoldfastError disk-full, io-error; the signal's reason: what was copied and named counts */
export async function repack(
  collection: Collection,
  census: PackCensus,
  candidates: readonly PackRow[],
  budget: RepackBudget,
): Promise<Repacked> {
  const { tell } = collection;
  const sum = { packs: 0, copiedBytes: 0, removedBytes: 0, damaged: 0, left: 0, waiting: 0 };
  const total = candidates.reduce((bytes, pack) => bytes + census.liveBytes(pack), 0);
  let lot: PackRow[] = [];
  let lotBytes = 0;
  let looked = 0;
  const removeLot = async (): Promise<void> => {
    const { packs, bytes, waiting } = await removePacks(collection, lot);
    sum.packs += packs;
    sum.removedBytes += bytes;
    sum.waiting += waiting;
    lot = [];
    lotBytes = 0;
  };
  for (const [at, pack] of candidates.entries()) {
    tell("repacking", looked, total);
    if (!budget.hasTime() || sum.copiedBytes + census.liveBytes(pack) > budget.bytes) {
      sum.left += candidates.length - at;
      break;
    }
    const copied = await copyPack(collection, pack);
    looked += census.liveBytes(pack);
    if (copied === undefined) sum.damaged++;
    else {
      sum.copiedBytes += copied;
      lot.push(pack);
      lotBytes += pack.bytes;
    }
    if (lot.length === packsPerLot || lotBytes >= bytesPerLot) await removeLot();
  }
  await removeLot();
  return sum;
}

/** Copies what lives of a pack and has the rows name it; bytes that were copied, or undefined where not all of it can be. */
async function copyPack(collection: Collection, pack: PackRow): Promise<number | undefined> {
  const { vault, pace, report } = collection;
  const { store } = vault;
  const tell = (error: HoldfastError): undefined => {
    const name = pack.name === undefined ? "" : toHex(pack.name);
    report("pack-not-repacked", { pack: name, code: error.code, why: error.message });
  };
  let rows: TrailerRow[];
  try {
    rows = trailerRows(await store.readTail(pack), pack.bytes);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return tell(error);
  }
  let copied = 0;
  for (
    let portion = nextPortion(rows, 0);
    portion.rows.length > 0;
    portion = nextPortion(rows, portion.end)
  ) {
    const live = portion.rows.filter((row) => isNamed(collection, pack, row));
    const records: RecordToStore[] = [];
    let at = 0;
    for await (const outcome of store.read(live.map((row) => ({ ...row, pack: pack.ordinal })))) {
      const row = live[at++] as TrailerRow;
      if (outcome instanceof HoldfastError) return tell(outcome);
      if (outcome === undefined) throw new Error("a place was read as none");
      const { id, type, group } = row;
      records.push({ record: outcome, id, type, group, writer: Buffer.from(row.writer) });
    }
    if (records.length > 0) {
      await store.room();
      const places = await store.appendCopies(records);
      await store.flush(() => {
        for (const [i, { group, id, offset }] of live.entries()) {
          const from = { pack: pack.ordinal, offset };
          const to = places[i] as Location;
          if (!store.index.update(group, id, from, to)) continue;
          vault.needs.moved(group, id, from, { pack: to.pack, offset: to.offset });
        }
        new CopiedPacks(store.environment).note(Math.max(...places.map((place) => place.pack)));
      });
      for (const { record } of records) copied += record.length + Width.frame;
    }
    await pace.turn();
  }
  return rows.some((row) => isNamed(collection, pack, row)) ? undefined : copied;
}

/** Whether a row of the index names this copy of a record. */
function isNamed({ vault }: Collection, pack: PackRow, { group, id, offset }: TrailerRow): boolean {
  const row = vault.store.index.lookup(group, id);
  return row?.pack === pack.ordinal && row.offset === offset;
}

function nextPortion(rows: readonly TrailerRow[], from: number): { rows: TrailerRow[]; end: number } {
  let end = from;
  for (let bytes = 0; end < rows.length && bytes < portionBytes; end++) {
    bytes += (rows[end] as TrailerRow).length;
  }
  return { rows: rows.slice(from, end), end };
}

/** The rows of a pack's tail: header, trailer and footer. @throws HoldfastError corrupt, truncated, unsupported */
function trailerRows(tail: Buffer, packBytes: number): TrailerRow[] {
  const footer = parseFooter(tail, packBytes);
  return openTrailer(footer, tail.subarray(Width.packHeader, tail.length - Width.footer));
}
