// Puts the records of packs into a restored vault's index, children before parents, as recovery does.
//
// Invariants
// - A record with references gets a row only when each of them has one.
// - A copy that a reader had found wrong never gets a live row: where there is no other copy, its row is flagged and the next good
//   copy takes it over, as it was before.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import { RecordType, Width } from "../../../vault/magic.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { unknownWriter } from "../../catalog/devices.ts";
import { type Need, ownReporter } from "../../catalog/needs.ts";
import { type ChunkRow, rowFlags } from "../../index/row.ts";
import type { PartNeed } from "../gatewayState/vaultPart.ts";
import type { VaultTables } from "./vaultTables.ts";

/** Stands for the pack of a record of which there is no copy. */
const noPack = 0xffff_ffff;
const noCopy = { pack: noPack, offset: 0, length: 0, type: RecordType.data, writer: unknownWriter } as const;

export class RecordAdmission {
  readonly #tables: VaultTables;
  readonly #writerOrdinal: (device: Uint8Array) => number;
  readonly #needs: readonly PartNeed[];
  /** By pack and offset. */
  readonly #wrong = new Set<string>();

  constructor(
    tables: VaultTables,
    needs: readonly PartNeed[],
    writerOrdinal: (device: Uint8Array) => number,
  ) {
    this.#tables = tables;
    this.#writerOrdinal = writerOrdinal;
    this.#needs = needs;
    for (const need of needs) {
      if (need.pack === null) this.#flag(need.group, fromHex(need.id, Width.id), noCopy);
      else this.#wrong.add(`${need.pack} ${need.offset}`);
    }
  }

  /** Waits until there is room for a record; call it before each `admit`. */
  async room(): Promise<void> {
    if (this.#tables.overlay.full) await this.#tables.overlay.flush();
  }

  /** Whether the record is in the index now, and whether it was not before. False, false: a record that it refers to is not. */
  admit(
    pack: { readonly ordinal: number; readonly name: Uint8Array },
    row: TrailerRow,
    refs: Uint8Array,
  ): { readonly here: boolean; readonly added: boolean } {
    const { overlay } = this.#tables;
    const { group, offset, length, type } = row;
    const writer = this.#writerOrdinal(row.writer);
    const place = { pack: pack.ordinal, offset, length, type, writer };
    if (this.#wrong.size > 0 && this.#wrong.has(`${toHex(pack.name)} ${offset}`)) {
      this.#flag(group, row.id, place);
      return { here: true, added: false };
    }
    const ordinals: number[] = [];
    for (const found of refs.length === 0 ? [] : overlay.lookupBatch(group, refs)) {
      if (found === undefined) return { here: false, added: false };
      ordinals.push(found.ordinal);
    }
    const { added } = overlay.admit(group, row.id, place, ordinals.length === 0 ? undefined : ordinals);
    return { here: true, added };
  }

  /**
   * Stands in for records of which there is no copy: each gets a row that is flagged, so that what refers to it can be admitted, and
   * stands on the need-list.
   */
  standIn(group: number, ids: Uint8Array): void {
    const { environment, index, needs, overlay } = this.#tables;
    const rows = overlay.lookupBatch(group, ids);
    if (rows.every((row) => row !== undefined)) return;
    environment.write(() => {
      rows.forEach((row, i) => {
        if (row !== undefined) return;
        const id = ids.subarray(i * Width.id, (i + 1) * Width.id);
        this.#flag(group, id, noCopy);
        const { ordinal } = index.lookup(group, id)!;
        needs.restore({ group, id: toHex(id), ordinal, ...noCopy, reporter: ownReporter });
      });
    });
  }

  #flag(group: number, id: Uint8Array, place: Omit<ChunkRow, "ordinal" | "flags">): void {
    const { overlay, index } = this.#tables;
    if (overlay.lookup(group, id) !== undefined) return;
    const row = { ...place, ordinal: index.nextOrdinal(), flags: rowFlags.needed };
    index.insertBatch([{ group, id, row }]);
  }

  /** What readers had found wrong, for the vault's own table. After the overlay was flushed. */
  needs(): Need[] {
    const { index, packs } = this.#tables;
    return this.#needs.flatMap(({ group, id, pack, offset, length, reporter }) => {
      const row = index.lookup(group, fromHex(id, Width.id));
      const known = pack === null ? noPack : packs.ordinalOf(fromHex(pack, Width.id));
      if (row === undefined || known === undefined) return [];
      return [{ group, id, ordinal: row.ordinal, pack: known, offset, length, writer: row.writer, reporter }];
    });
  }
}
