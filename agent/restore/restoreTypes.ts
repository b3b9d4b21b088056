// What a restore is asked for and what it tells.

import type { RecordSource } from "../../fs/view/ports.ts";
import type { ErrorCode } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { SnapshotBody, SnapshotHeader } from "../../vault/snapshot.ts";

/** What happens to files that are at the target already and differ. Directories are always used as they are. */
export type Overwrite = "never" | "newer" | "always";

export type RestoreNote = {
  /** `error`: the object is not at the target as it should be; `warning`: it is, but not in every respect; `info`: by design. */
  readonly level: "error" | "warning" | "info";
  /** Path in the snapshot, as text (vault/pathText.ts). */
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
};

export type RestoreAction = {
  readonly action: "create" | "replace" | "update" | "keep" | "link" | "delete";
  /** Path below the target, as text. */
  readonly path: string;
};

export type Progress = {
  readonly phase: "restore";
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

export type RestoreOptions = {
  readonly source: RecordSource;
  readonly keys: VaultKeys;
  readonly snapshot: { readonly header: SnapshotHeader; readonly body: SnapshotBody };
  /** Names from the root of the snapshot to what is restored; none for everything. */
  readonly path: readonly Uint8Array[];
  readonly target: Uint8Array;
  readonly overwrite: Overwrite;
  readonly dryRun: boolean;
  /** With a dry run: where the content that would be fetched is listed (docs/format.md, section 12.3). Files are then compared as a restore does. */
  readonly needOut?: string | undefined;
  /** Removes what the snapshot does not have, below the paths that were backed up. */
  readonly delete: boolean;
  /** Owners by their archived names where this machine has such accounts; else by number. */
  readonly ownerByName: boolean;
  readonly signal?: AbortSignal;
  /** Workers from the start on; as RestorePool needs them, where it is left out. */
  readonly threads?: number | undefined;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNote?: (note: RestoreNote) => void;
  readonly onAction?: (action: RestoreAction) => void;
};

export type RestoreResult = {
  readonly files: number;
  readonly directories: number;
  /** Symbolic links, FIFOs and devices. */
  readonly others: number;
  readonly bytes: number;
  /** Files whose content was right already. */
  readonly reused: number;
  /** Files that were left alone because of `overwrite`. */
  readonly kept: number;
  readonly deleted: number;
  readonly fetchedBytes: number;
  readonly fetchedRecords: number;
  /** What `needOut` lists; bytes are of content, and a chunk that several files share counts for each. */
  readonly needed?: { readonly chunks: number; readonly bytes: number };
  readonly warnings: number;
  readonly errors: number;
};
