// Importing boxes, and giving them up, as an administrator of the datacentre does it.

import type { BoxState } from "../catalog/boxes.ts";
import type { OutcomeCounts } from "../seed/import/importedPacks.ts";
import type { LeftPack } from "../seed/import/importVault.ts";
import type { JobWatch } from "./job.ts";

export type ImportRequest = {
  /** Absolute paths, or https://HOST:PORT of the box. */
  readonly sources: readonly string[];
  /** The box's number, where no source has its box.json. */
  readonly box?: number;
  /** Nothing more is expected than what these sources have: the rest goes on the need-list. */
  readonly finish: boolean;
  /** Only say what would be taken. */
  readonly dryRun: boolean;
};

export type ImportProgress = {
  readonly box: number;
  readonly packsDone: number;
  readonly packs: number;
  readonly bytesDone: number;
  readonly bytes: number;
  readonly left: number;
};

export type ImportReport = {
  readonly box: number;
  readonly seal: number;
  readonly state: BoxState;
  readonly packs: number;
  readonly packBytes: number;
  /** Packs of the manifest by what came of them, in this run or one before. */
  readonly outcomes: OutcomeCounts;
  readonly takenBytes: number;
  readonly left: number;
  readonly leftPacks: readonly LeftPack[];
  /** Packs of the sources that the manifest does not list: the first of them. */
  readonly strays: readonly string[];
  readonly refused: number;
  /** Snapshots on the manifest, and how many of them are whole. */
  readonly snapshots: number;
  readonly whole: number;
  /** Chunks on the need-list. */
  readonly needs: number;
  /** File of the receipt; null while something is expected. */
  readonly receipt: string | null;
};

export type AbandonReport = {
  readonly box: number;
  readonly needs: number;
  /** Snapshots that wait for agents now. */
  readonly waiting: readonly {
    readonly snapshot: string;
    readonly chunks: number;
    readonly ids: readonly string[];
  }[];
};

export interface ImportOperations {
  /**
   * @throws HoldfastError not-found (also a manifest that has not come), usage, exists for another datacentre's box, sequence-conflict for one
   * that was opened again, seal-invalid, corrupt;
   * seed-source-gone, disk-full, io-error, cancelled: then the same goes on where it stopped
   */
  run(request: ImportRequest, watch: JobWatch<ImportProgress>): Promise<ImportReport>;
  /** Gives up what has not come of a box. @throws HoldfastError not-found, exists, disk-full, io-error */
  abandon(box: number, dryRun: boolean): Promise<AbandonReport>;
}
