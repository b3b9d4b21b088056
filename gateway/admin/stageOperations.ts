// Boxes that restore, as an administrator of the datacentre makes them.

import type { BoxRow } from "../catalog/boxes.ts";
import type { RecordSample } from "../seed/stage/sampleRecords.ts";
import type { JobWatch } from "./job.ts";
import type { PrepareRequest } from "./seedOperations.ts";

export type StageRequest = Pick<PrepareRequest, "directory" | "listen" | "urls" | "name" | "by" | "key"> & {
  /** Ids of snapshots, or unique beginnings of such; `path` in the form of SNAPSHOT:PATH. */
  readonly snapshots: readonly { readonly snapshot: string; readonly path: string }[];
  /** Absolute paths of lists of what targets lack; all is taken where there is none. */
  readonly need: readonly string[];
  /** Some of what is chosen is read, to know how fast that is: for a dry run. */
  readonly measure?: boolean;
};

export type StageProgress = {
  /** `choosing`: following references from the snapshots; `finding`: where what was chosen is; `copying`: by a run with a key alone. */
  readonly phase: "choosing" | "finding" | "copying";
  readonly recordsDone: number;
  /** Null while nobody can know: how much is below a snapshot is known at the end of its walk. */
  readonly records: number | null;
  /** Of what is copied; 0 before. */
  readonly bytes: number;
  readonly bytesDone: number;
};

export type StageReport = {
  /** Null where it was only asked what would be done. */
  readonly box: Pick<BoxRow, "number" | "id" | "name" | "fingerprint" | "urls"> | null;
  readonly snapshots: readonly {
    readonly id: string;
    readonly device: string;
    readonly item: string;
    readonly received: string;
    /** It needs records that are not here. */
    readonly isLacking: boolean;
  }[];
  readonly records: number;
  readonly bytes: number;
  /** Records that the snapshots name, and that the target has or that were not asked for. */
  readonly leftOut: number;
  /** Records that are not here, and so not on the box: parts of the snapshots are missing. */
  readonly lacking: number;
  /** In the directory; null where that cannot be told. */
  readonly freeBytes: number | null;
  /** How fast some of it was read; null where it was not to be measured. */
  readonly sample: RecordSample | null;
};

export interface StageOperations {
  /**
   * Makes a box that restores in a directory of this machine; without a key it only says what would be done.
   * @throws HoldfastError not-found, usage, exists, vault-locked (a path of a locked vault), chunk-missing, chunk-damaged, disk-full, io-error, busy,
   * cancelled: the same goes on where it stopped
   */
  stage(request: StageRequest, watch: JobWatch<StageProgress>): Promise<StageReport>;
}
