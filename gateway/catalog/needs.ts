// Records that a reader found wrong: the need-list. Each keeps where the wrong bytes are, who wrote them and who said so, for an audit.
//
// Invariants
// - A need is open while its row in the chunk index is flagged; the next upload of the id takes the row over and so closes it.
// - A report proves nothing: the gateway has no key. So what was reported is kept, with what it refers to (`copies`), and readers get it
//   while there is nothing better. Who reports what he was given is given another copy that he has not reported, if there is one: so an
//   honest reader comes to the sound one, whatever a hostile device reported and put in its place.
// - Of each writer the oldest and the newest copy are kept, so no number of uploads pushes out another's.
// - What a kept copy refers to lives as long as the record's row does, and so does its pack: any of them may be served.

import { fromHex, toHex } from "../../vault/bytes.ts";
import { Width } from "../../vault/magic.ts";
import type { ChunkIndex } from "../index/chunkIndex.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { type ChunkRow, type CopyPlace, hasCopy, isHere, rowFlags } from "../index/row.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** A copy that was reported: what its row in the index said. */
type ReportedCopy = Pick<ChunkRow, "pack" | "offset" | "length" | "type" | "writer"> & {
  /** Ordinals of the records that it refers to. */
  readonly refs: readonly number[];
  /** Ids of the devices that reported it, the first ones. */
  readonly reporters: readonly string[];
};

/** What garbage collection has to know of one. */
export type KeptCopy = Pick<ReportedCopy, "pack" | "refs" | "writer">;

/** Each may flip the copy that is served once; more of them than devices of a household or an office. */
const reportersMax = 64;

export type Need = {
  readonly group: number;
  /** 64 hex digits. */
  readonly id: string;
  readonly ordinal: number;
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  /** Ordinal of the device that wrote it. */
  readonly writer: number;
  /** Id of the device that reported it. */
  readonly reporter: string;
};

/** Reporter of what the gateway itself found to be lost. */
export const ownReporter = "00".repeat(Width.deviceId);

export class Needs {
  readonly #table: Table<Need>;
  /** What is kept of each, oldest report first. Needs that came from a replica have none. */
  readonly #copies: Table<readonly ReportedCopy[]>;
  readonly #index: ChunkIndex;

  constructor(environment: IndexEnvironment, index: ChunkIndex) {
    this.#table = openTable(environment, "needs", jsonCodec<Need>());
    this.#copies = openTable(environment, "needed-copies", jsonCodec<readonly ReportedCopy[]>());
    this.#index = index;
  }

  /**
   * Inside a write transaction, flushed: flags the row of a record, which then answers "no", and gives it another copy where one is kept
   * that this reporter has not reported. Undefined when it is not here or was flagged already.
   */
  open(group: number, id: Uint8Array, reporter: string): ChunkRow | undefined {
    const row = this.#index.lookup(group, id);
    if (row === undefined || !hasCopy(row)) return undefined;
    const key = keyOf(group, id);
    const known = this.#copies.get(key) ?? [];
    const { ordinal, pack, offset, length, writer } = row;
    const copies = withReport(known, { ...row, refs: this.#index.refsOf(ordinal) }, reporter);
    if (copies === known) return undefined;
    this.#copies.put(key, copies);
    this.#serve(group, id, row, copies.find(({ reporters }) => !reporters.includes(reporter)) ?? row);
    this.#table.put(key, { group, id: toHex(id), ordinal, pack, offset, length, writer, reporter });
    return isHere(row) ? row : undefined;
  }

  /** Flags a row, which names this copy from now on. */
  #serve(group: number, id: Uint8Array, row: ChunkRow, copy: ReportedCopy | ChunkRow): void {
    const { pack, offset, length, type, writer } = copy;
    const flags = row.flags | rowFlags.needed;
    this.#index.update(group, id, row, { pack, offset, length, type, writer, flags });
    if ("refs" in copy) this.#index.putRefs(row.ordinal, copy.refs);
  }

  /** All needs, met or not. */
  list(): Need[] {
    return this.#table.entries().map(([, need]) => need);
  }

  /** Inside a write transaction: enters a need whose row in the index is what it should be already. */
  restore({ group, id, ordinal, pack, offset, length, writer, reporter }: Need): void {
    const need = { group, id, ordinal, pack, offset, length, writer, reporter };
    this.#table.put(keyOf(group, fromHex(id, Width.id)), need);
  }

  /**
   * Inside a write transaction: what the gateway itself had found lost in a pack is there again, at the same places. Returns how many records that are.
   */
  regain(pack: number): number {
    let regained = 0;
    for (const need of this.list()) {
      const id = fromHex(need.id, Width.id);
      const row =
        need.pack === pack && need.reporter === ownReporter ? this.#index.lookup(need.group, id) : undefined;
      if (row === undefined || !(row.flags & rowFlags.needed) || row.offset !== need.offset) continue;
      if (this.#index.update(need.group, id, need, { flags: row.flags & ~rowFlags.needed })) regained++;
    }
    return regained;
  }

  /** Copies that are kept of each record that was reported: readers may be given any of them while its row lives. */
  kept(): { readonly group: number; readonly id: Uint8Array; readonly copies: readonly KeptCopy[] }[] {
    return this.#copies.entries().map(([key, copies]) => ({
      group: Buffer.from(key).readUInt32BE(0),
      id: key.subarray(4),
      copies,
    }));
  }

  /** Inside a write transaction: forgets needs whose record is no more (by its ordinal), with the copies that were kept. */
  forgetRecords(isDead: (ordinal: number) => boolean): void {
    for (const [key, { ordinal }] of this.#table.entries()) if (isDead(ordinal)) this.#forget(key);
  }

  /**
   * Inside a write transaction: packs left. With its wrong copy a need goes, unless one that was reported is kept elsewhere, which it names then: the
   * wrong copy may have been moved since it was reported, and what is kept of the record may be the only sound one.
   */
  forgetPacks(gone: ReadonlySet<number>): void {
    for (const [key, need] of this.#table.entries()) {
      if (!gone.has(need.pack)) continue;
      const kept = this.#copies.get(key)?.find((copy) => !gone.has(copy.pack));
      if (kept === undefined) {
        this.#forget(key);
        continue;
      }
      const { pack, offset, length, writer } = kept;
      this.#table.put(key, { ...need, pack, offset, length, writer });
    }
  }

  #forget(key: Uint8Array): void {
    this.#table.remove(key);
    this.#copies.remove(key);
  }

  /** Inside a write transaction: the wrong copy of a record was moved. */
  moved(group: number, id: Uint8Array, from: CopyPlace, to: CopyPlace): void {
    const key = keyOf(group, id);
    const need = this.#table.get(key);
    if (need?.pack === from.pack && need.offset === from.offset) this.#table.put(key, { ...need, ...to });
  }

  /** Needs that no upload has met, by the ordinal of their record. */
  unmet(): Map<number, Need> {
    const unmet = new Map<number, Need>();
    for (const [, need] of this.#table.entries()) {
      const row = this.#index.lookup(need.group, fromHex(need.id, Width.id));
      if (row !== undefined && row.flags & rowFlags.needed) unmet.set(need.ordinal, need);
    }
    return unmet;
  }

  /**
   * Ids (hex, `idsMax` at most) that a record reaches and that are needed, by walking the clear references of everything below it.
   * Only flushed rows are seen. Costs nothing while no need is open.
   */
  missingBelow(root: number, idsMax: number): string[] {
    const unmet = this.unmet();
    const missing: string[] = [];
    if (unmet.size === 0) return missing;
    const seen = new Set<number>([root]);
    const pending = [root];
    for (
      let ordinal = pending.pop();
      ordinal !== undefined && missing.length < idsMax;
      ordinal = pending.pop()
    ) {
      const need = unmet.get(ordinal);
      if (need !== undefined) missing.push(need.id);
      for (const ref of this.#index.refsOf(ordinal)) {
        if (seen.has(ref)) continue;
        seen.add(ref);
        pending.push(ref);
      }
    }
    return missing;
  }
}

/** The copies with one more report; the same list where that says nothing new. */
function withReport(
  copies: readonly ReportedCopy[],
  { pack, offset, length, type, writer, refs }: Omit<ReportedCopy, "reporters">,
  reporter: string,
): readonly ReportedCopy[] {
  const at = copies.findIndex((copy) => copy.pack === pack && copy.offset === offset);
  const known = copies[at];
  if (known !== undefined) {
    const { reporters } = known;
    if (reporters.includes(reporter) || reporters.length >= reportersMax) return copies;
    return copies.with(at, { ...known, reporters: [...reporters, reporter] });
  }
  const copy = { pack, offset, length, type, writer, refs, reporters: [reporter] };
  const [, newest] = copies.filter((other) => other.writer === writer);
  return [...(newest === undefined ? copies : copies.filter((other) => other !== newest)), copy];
}

function keyOf(group: number, id: Uint8Array): Buffer {
  const key = Buffer.alloc(4 + Width.id);
  key.writeUInt32BE(group);
  key.set(id, 4);
  return key;
}
