// The manifest of the next generation: which pages are written anew, and the top page over them (docs/format.md, section 11.3).
//
// Invariants
// - Only the last page of a type and the top page are written anew, and pages that lose rows; all others are named as they are.
// - What is named no more is doomed in the same generation. What is doomed is in no other row, and never comes back.

import { toHex } from "../../../vault/bytes.ts";
import { DoomedClass, ManifestPageType } from "../../../vault/magic.ts";
import { type DoomedRow, encodeManifestPage, type TopRow } from "../../../vault/replica/manifestPage.ts";
import type { NamedObject } from "../../../vault/replica/root.ts";
import { merkleOf } from "../../../vault/replica/treeHash.ts";
import type { BelowTop, ManifestChanges, ManifestState, RowOfType } from "./manifestState.ts";
import { sha256 } from "./namedObjects.ts";
import { nextSection, type PageSection, type SectionChange, type WrittenPage } from "./pageSection.ts";

/** What a root says of its manifest. */
export type ManifestSummary = {
  readonly manifest: NamedObject;
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
  /** Hex. */
  readonly merkle: string;
};

export type NextManifest = {
  readonly generation: number;
  /** Pages that are to be put before the root, the top page last. */
  readonly pages: readonly WrittenPage[];
  readonly summary: ManifestSummary;
  readonly state: ManifestState;
  readonly changes: ManifestChanges;
  /** Rows that this generation adds to the doomed ones, and hex names of those that leave them. */
  readonly newlyDoomed: readonly DoomedRow[];
  readonly forgotten: readonly string[];
};

/** Rows of any page below the top. */
export type ReadRows = <Type extends BelowTop>(
  type: Type,
  page: TopRow,
) => Promise<readonly RowOfType[Type][]>;

/** `gone`: hex names of doomed objects that were deleted after the root that doomed them. */
export async function nextManifest(
  state: ManifestState,
  generation: number,
  changes: ManifestChanges,
  gone: ReadonlySet<string>,
  readRows: ReadRows,
): Promise<NextManifest> {
  const doomed = (wanted: DoomedClass): ReadonlySet<string> =>
    new Set((changes.doom ?? []).filter((row) => row.class === wanted).map(({ name }) => toHex(name)));
  const section = <Type extends BelowTop>(
    type: Type,
    change: Omit<SectionChange<RowOfType[Type]>, "generation">,
  ): Promise<PageSection<Type>> => {
    const before = state.pages.filter((page) => page.type === type);
    const read = async (page: TopRow, isLast: boolean): Promise<readonly RowOfType[Type][]> =>
      isLast ? state.last[type] : readRows(type, page);
    return nextSection(type, before, read, { generation, ...change });
  };
  const list = <Type extends 2 | 3 | 4>(
    type: Type,
    added: readonly RowOfType[Type][] = [],
    removed: ReadonlySet<string>,
    nameOf: (row: RowOfType[Type]) => Uint8Array,
  ): Promise<PageSection<Type>> => {
    const stays = (row: RowOfType[Type]): boolean => !removed.has(toHex(nameOf(row)));
    const keep = removed.size === 0 ? undefined : (rows: readonly RowOfType[Type][]) => rows.filter(stays);
    return section(type, { keep, adds: added.length > 0, added: () => added });
  };
  const packSection = await list(2, changes.packs, doomed(DoomedClass.pack), ({ name }) => name);
  const snapshotSection = await list(3, changes.snapshots, doomed(DoomedClass.snapshot), ({ id }) => id);
  const segmentSection = await list(4, changes.segments, doomed(DoomedClass.segment), ({ name }) => name);
  const listed = [packSection, snapshotSection, segmentSection];
  const removed = listed.reduce((sum, each) => sum + each.removed.length, 0);
  const unlisted = (changes.doom ?? []).filter((row) => row.class === DoomedClass.catalog);
  if (removed + unlisted.length !== (changes.doom ?? []).length) {
    throw new Error("manifest: what is doomed is not listed");
  }
  const superseded = listed.flatMap((each) => each.superseded);
  if (state.top !== undefined) superseded.push(state.top);
  let newlyDoomed: readonly DoomedRow[] = [];
  const doomedSection = await section(ManifestPageType.doomed, {
    // Pages that are not the last stay until all of their rows may go: rewriting them for each row that may would cost more.
    keep: (rows, isLast) => {
      const left = rows.filter(({ name }) => !gone.has(toHex(name)));
      return isLast || left.length === 0 ? left : rows;
    },
    adds: superseded.length > 0 || (changes.doom ?? []).length > 0,
    added: (own) => {
      newlyDoomed = [
        ...(changes.doom ?? []).map((row) => ({ ...row, generation })),
        ...[...superseded, ...own].map((name) => ({ name, generation, class: DoomedClass.manifestPage })),
      ];
      return newlyDoomed;
    },
  });
  const sections = [...listed, doomedSection];
  const pages = sections.flatMap((each) => each.pages);
  const bytes = encodeManifestPage(ManifestPageType.top, generation, pages);
  const top = sha256(bytes);
  const packs = rowsOf(packSection);
  const snapshots = rowsOf(snapshotSection);
  const packBytes = state.packBytes + bytesOf(changes.packs ?? []) - bytesOf(packSection.removed);
  return {
    generation,
    pages: [...sections.flatMap((each) => each.written), { name: top, bytes }],
    summary: {
      manifest: { name: `manifest/${toHex(top)}`, bytes: bytes.length, sha256: toHex(top) },
      packs,
      packBytes,
      snapshots,
      merkle: toHex(merkleOf(packSection.pages.map((page) => page.packHash))),
    },
    state: {
      top,
      pages,
      last: { 2: packSection.last, 3: snapshotSection.last, 4: segmentSection.last, 5: doomedSection.last },
      packs,
      packBytes,
      snapshots,
    },
    changes,
    newlyDoomed,
    forgotten: doomedSection.removed.map(({ name }) => toHex(name)),
  };
}

function rowsOf({ pages }: { readonly pages: readonly TopRow[] }): number {
  return pages.reduce((sum, { rows }) => sum + rows, 0);
}

function bytesOf(rows: readonly { readonly bytes: number }[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0);
}
