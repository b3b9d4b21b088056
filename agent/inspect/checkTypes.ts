// What a check is asked for and what it tells.

import type { RecordSource } from "../../fs/view/ports.ts";
import type { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { SnapshotTree } from "./snapshotTree.ts";

/** What a check asks of the gateway besides records. */
export interface CheckPort {
  /** Bit i of the answer: id i is there. At most 16,384 ids. */
  exists(vaultId: string, group: number, ids: readonly Uint8Array[], signal?: AbortSignal): Promise<Buffer>;
  /** These records are not what their ids say; answers which device wrote each, where the gateway says. */
  suspect(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
  ): Promise<readonly (string | undefined)[]>;
}

/** See ProvenChunks. */
export interface Proven {
  isDrawn(id: Uint8Array, share: number): boolean;
  has(id: Uint8Array): boolean;
  add(ids: readonly Uint8Array[]): void;
}

export type CheckProblem = {
  readonly kind: "page" | "data";
  /** Chunk id, hex. */
  readonly chunk: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly group: number;
  /** Name of the device that wrote it, where the gateway said so when it was told. */
  readonly writer: string | undefined;
  /** Paths of files and directories that it hurts, with the snapshot in which each was found first. */
  readonly hurts: readonly { readonly snapshot: string; readonly path: string }[];
};

export type CheckResult = {
  readonly snapshots: number;
  readonly pages: number;
  readonly chunks: number;
  readonly readChunks: number;
  readonly readBytes: number;
  readonly problems: readonly CheckProblem[];
  /** Why the gateway could not be told which records are wrong; undefined where it was, or where there was nothing to tell. */
  readonly untold: HoldfastError | undefined;
};

export type CheckProgress = {
  readonly phase: "trees" | "files hurt";
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

export type CheckOptions = {
  readonly source: RecordSource;
  readonly port: CheckPort;
  /** This device's group: of no other one may it tell the gateway that records are wrong. */
  readonly ownGroup: number;
  /** Opened snapshots with their ids (hex). */
  readonly snapshots: readonly { readonly id: string; readonly opened: SnapshotTree }[];
  /** Share of the data chunks to read, 0 to 1. */
  readonly readShare: number;
  /** Which chunks belong to that share, and which of them were proven before the check was stopped. */
  readonly proven: Proven;
  /** Counts pages as files, and bytes that were read and proven. */
  readonly onProgress?: (progress: CheckProgress) => void;
  readonly signal?: AbortSignal;
};
