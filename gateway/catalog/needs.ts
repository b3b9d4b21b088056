// Records that a reader found wrong: the need-list. Each keeps where the wrong bytes are, who wrote them and who said so, for an audit.
//
// A need is open while its row in the chunk index is flagged; the next honest upload of the id takes the row over and so closes it.

import { fromHex, toHex } from "../../vault/bytes.ts";
import { Width } from "../../vault/magic.ts";
import type { ChunkIndex } from "../index/chunkIndex.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { type ChunkRow, isHere, rowFlags } from "../index/row.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

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

export class Needs {
  readonly #table: Table<Need>;
  readonly #index: ChunkIndex;

  constructor(environment: IndexEnvironment, index: ChunkIndex) {
    this.#table = openTable(environment, "needs", jsonCodec<Need>());
    this.#index = index;
  }

  /** Inside a write transaction: flags the row of a record, which then answers "no". Undefined when it is not here or flagged already. */
  open(group: number, id: Uint8Array, reporter: string): ChunkRow | undefined {
    const row = this.#index.lookup(group, id);
    if (row === undefined || !isHere(row)) return undefined;
    if (!this.#index.update(group, id, row, { flags: row.flags | rowFlags.needed })) return undefined;
    const { ordinal, pack, offset, length, writer } = row;
    this.#table.put(keyOf(group, id), {
      group,
      id: toHex(id),
      ordinal,
      pack,
      offset,
      length,
      writer,
      reporter,
    });
    return row;
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

function keyOf(group: number, id: Uint8Array): Buffer {
  const key = Buffer.alloc(4 + Width.id);
  key.writeUInt32BE(group);
  key.set(id, 4);
  return key;
}
