// What is kept in memory of a replica's manifest: the top page and the rows of each type's last page. Full pages are read again where their rows are
// needed.

import type { DoomedClass, ManifestPageType } from "../../../vault/magic.ts";
import type {
  DoomedRow,
  PackRow,
  SegmentRow,
  SnapshotRow,
  TopRow,
} from "../../../vault/replica/manifestPage.ts";

/** Types of pages below the top. */
export type BelowTop = Exclude<ManifestPageType, 1>;

export type RowOfType = { 2: PackRow; 3: SnapshotRow; 4: SegmentRow; 5: DoomedRow };

export type ManifestState = {
  /** SHA-256 of the top page; undefined while there is none. */
  readonly top: Uint8Array | undefined;
  readonly pages: readonly TopRow[];
  /** Rows of the last page of each type. */
  readonly last: { readonly [Type in BelowTop]: readonly RowOfType[Type][] };
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
};

export const emptyState: ManifestState = {
  top: undefined,
  pages: [],
  last: { 2: [], 3: [], 4: [], 5: [] },
  packs: 0,
  packBytes: 0,
  snapshots: 0,
};

/** What a generation changes. Names have 32 bytes. */
export type ManifestChanges = {
  readonly packs?: readonly PackRow[];
  readonly snapshots?: readonly SnapshotRow[];
  readonly segments?: readonly SegmentRow[];
  /**
   * Leaves its row, where its class has rows (packs, snapshots, segments: it must be there), and may be deleted after this generation's root. Manifest
   * pages doom themselves.
   */
  readonly doom?: readonly { readonly name: Uint8Array; readonly class: Exclude<DoomedClass, 4> }[];
};
