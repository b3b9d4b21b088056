// Tells by attributes alone whether something is as the last snapshot has it. What is, is not read.

import { EntryKind } from "../../vault/tree/entry.ts";
import type { RowStat } from "../../vault/tree/entryReader.ts";
import type { StatTable } from "../platform/statTable.ts";
import type { WalkOptions } from "./walk.ts";

/** A change within this time of the previous run's start may have come after the file was read with the same stamp. */
const racyMs = 1000;

/** What of a walk's options counts. */
export type SameOptions = Pick<WalkOptions, "rescan" | "ignoreInodes"> & {
  readonly previous: { readonly timeMs: number } | undefined;
};

export class SameAsBefore {
  readonly #options: SameOptions;

  constructor(options: SameOptions) {
    this.#options = options;
  }

  /** A file whose content is taken to be what it was: size, times and inode are. */
  file(table: StatTable, row: number, old: RowStat): boolean {
    const { rescan, previous, ignoreInodes } = this.#options;
    if (rescan || previous === undefined) return false;
    if (!sameContentMark(table, row, old, isNumbered(ignoreInodes, old))) return false;
    return table.changedSeconds(row) * 1000 + table.changedNanoseconds(row) / 1e6 < previous.timeMs - racyMs;
  }

  /** A file that looks as it did, but for its inode: to tell of, since it is read. */
  isRenumbered(table: StatTable, row: number, old: RowStat): boolean {
    if (this.#options.rescan || old.kind !== EntryKind.file || old.linkCount !== 1) return false;
    return sameContentMark(table, row, old, false) && !sameContentMark(table, row, old, true);
  }

  /** Anything else but a folder: nothing about it changed, so far as its times tell. */
  other(table: StatTable, row: number, old: RowStat): boolean {
    const { rescan, ignoreInodes } = this.#options;
    return !rescan && sameObject(table, row, old, isNumbered(ignoreInodes, old));
  }

  /** A folder itself, whatever happened in it. */
  folder(table: StatTable, row: number, old: RowStat): boolean {
    return sameObject(table, row, old, !this.#options.ignoreInodes);
  }
}

/** Whether the inode counts. Where something has several names it says which they are, and must be true. */
function isNumbered(ignoreInodes: boolean, { linkCount }: RowStat): boolean {
  return !ignoreInodes || linkCount !== 1;
}

function sameContentMark(table: StatTable, row: number, old: RowStat, numbered: boolean): boolean {
  return (
    old.size === table.size(row) &&
    old.mtimeNanoseconds === table.modifiedNanoseconds(row) &&
    old.mtimeSeconds === table.modifiedSeconds(row) &&
    sameObject(table, row, old, numbered)
  );
}

/** Its change time and, `numbered`, its inode are as they were, and so is what they cover. */
function sameObject(table: StatTable, row: number, old: RowStat, numbered: boolean): boolean {
  return (
    old.ctimeNanoseconds === table.changedNanoseconds(row) &&
    old.ctimeSeconds === table.changedSeconds(row) &&
    (!numbered || (old.inodeLow === table.inodeLow(row) && old.inodeHigh === table.inodeHigh(row))) &&
    old.mode === table.permissions(row) &&
    old.uid === table.uid(row) &&
    old.gid === table.gid(row) &&
    old.linkCount === table.linkCount(row)
  );
}
