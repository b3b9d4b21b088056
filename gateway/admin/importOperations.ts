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
  /** Of packs that this run looked at. */
  readonly readBytes: number;
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

export type AbandonRequest = { readonly box: number; readonly dryRun: boolean };

export type AbandonProgress = {
  /** `ending`: it is done, whoever asks it to stop; `counting`: what is needed now, or would be. */
  readonly phase: "ending" | "counting";
  readonly snapshotsDone: number;
  /** Those that wait; null while nobody has counted. */
  readonly snapshots: number | null;
};

export type AbandonReport = {
  readonly box: number;
  /** Of packs on its manifest that did not come; null where its manifest has not come. */
  readonly lostBytes: number | null;
  /** Chunks that are needed from agents, with a dry run: that would be. Null where it was stopped behind the end and before they were counted. */
  readonly needs: number | null;
  /** Snapshots that wait for agents now, or would. */
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
  /**
   * Gives up what has not come of a box. Stopped before the first promise ends, nothing was done; behind that it is done, and only counting stops.
   * @throws HoldfastError not-found, exists, busy, disk-full, io-error, cancelled
   */
  abandon(request: AbandonRequest, watch: JobWatch<AbandonProgress>): Promise<AbandonReport>;
}
