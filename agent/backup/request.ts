// What a backup is asked to do, what it works with, and what comes out.

import type { BackupFigures } from "../../ingest/wire/figures.ts";
import type { SnapshotRow } from "../../ingest/wire/messages.ts";
import type { Chunker } from "../../vault/chunk/chunker.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { ProgramEnd } from "../../vault/snapshot.ts";
import type { ProgramRequest } from "../program/programTree.ts";
import type { FilterRules } from "../source/filter.ts";
import type { PortionLimits, Stopped } from "../source/portion.ts";
import type { StandIns } from "../source/standIns.ts";
import type { TopPath } from "../source/topPaths.ts";
import type { WalkCounts } from "../source/walk.ts";
import type { UploadPort } from "../upload/port.ts";

/** An open session for one item. */
export interface BackupSession extends UploadPort {
  readonly group: number;
  readonly itemId: string;
  /** The item's newest snapshot in hex, null for none, and its sequence (0). */
  readonly head: string | null;
  readonly sequence: number;
  /** Changes when something that was at the gateway is not there any more. */
  readonly cacheToken: string;
  /** Nothing of the group was at the gateway when the session began. */
  readonly empty: boolean;
  /** Per id whether it and everything below it is at the gateway; undefined from one that cannot tell. */
  whole(ids: readonly Uint8Array[]): Promise<readonly boolean[] | undefined>;
  snapshotObject(id: string): Promise<Buffer>;
  /** 32 hex digits; undefined from gateways that do not tell. */
  gatewayId(): Promise<string | undefined>;
  /** The newest snapshot of each item in the vault, the latest first; bounded by the protocol. */
  newestSnapshots(): Promise<readonly SnapshotRow[]>;
  /** Notes on this machine that the commit went through; throws where its disk is full, say. */
  remember(): void;
  commit(
    object: Buffer,
    figures: BackupFigures,
  ): Promise<{ readonly snapshot: string; readonly received: string }>;
}

export type BackupRequest = {
  readonly paths: readonly TopPath[];
  readonly item: string;
  readonly rules: FilterRules;
  readonly rescan: boolean;
  /** Whether a file counts as unchanged although its inode did change; for file systems that number anew. */
  readonly ignoreInodes?: boolean;
  /** Whether an item without a snapshot looks for content of other items (docs/decisions/0006). */
  readonly reference: boolean;
  readonly oneFileSystem: boolean;
  readonly excludeCaches: boolean;
  readonly chunker: Chunker;
  /** Where the run stops with an incomplete snapshot. Not to be combined with `rescan`, which would read the same again and again. */
  readonly limits: PortionLimits;
  /** Takes what a program writes, as the one file that `paths` names, and no files; what else chooses files is of no account. */
  readonly program?: ProgramRequest;
};

export type BackupContext = {
  readonly session: BackupSession;
  readonly keys: VaultKeys;
  readonly device: { readonly id: string; readonly name: string };
  readonly agentVersion: string;
  readonly host: string;
  /** File of the page cache of this item. */
  readonly cachePath: string;
  /** One in so many chunks that the gateway has already, and others may have written, is read back and verified; 32 unless given. */
  readonly readBackOneIn?: number | undefined;
  /** Bytes of records in one request at most, now. */
  readonly bodyBytesMax?: (() => number) | undefined;
  readonly nowMs: () => number;
  /** Snapshots of sources, and when (ms) the first of them was not yet begun: that is the time of the backup then. */
  readonly taken?: TakenSources | undefined;
  readonly signal: AbortSignal;
  readonly warn: (path: Uint8Array, what: string) => void;
  readonly progress: (progress: BackupProgress) => void;
};

export type TakenSources = {
  readonly standIns: StandIns;
  readonly timeMs: number;
  /** Fails where a snapshot is not what it was any more. */
  readonly stillWhole: () => Promise<void>;
};

export type BackupProgress = {
  readonly counts: Readonly<WalkCounts>;
  readonly sentBytes: number;
  /** Totals of the previous snapshot, to estimate by; 0 when there is none. */
  readonly expectedFiles: number;
  readonly expectedBytes: number;
  /** Number of the run in its series (Portion). */
  readonly portion: number;
};

export type BackupOutcome = {
  readonly snapshot: string;
  readonly received: string;
  readonly root: string;
  readonly sequence: number;
  readonly counts: Readonly<WalkCounts>;
  readonly warnings: number;
  readonly newChunks: number;
  readonly sentBytes: number;
  readonly readBackBytes: number;
  readonly hadPrevious: boolean;
  /** Number of the run in its series (Portion). */
  readonly portion: number;
  /** Where the snapshot is incomplete. */
  readonly stopped: Stopped | undefined;
  /** Of a program's output: how that ended, and what is wrong with it, after "the command ". */
  readonly program: { readonly end: ProgramEnd; readonly failed: string | undefined } | undefined;
  /** The reference snapshot that an item without one of its own compared with. */
  readonly reference: ReferenceUse | undefined;
};

export type ReferenceUse = {
  readonly snapshot: string;
  readonly device: string;
  readonly item: string;
  /** What kept its place in the reference's chunks. */
  readonly files: number;
  readonly bytes: number;
  /** Sealed bytes fetched: directory pages, and chunks to verify (they count in readBackBytes too). */
  readonly pageBytes: number;
  readonly readBytes: number;
};
