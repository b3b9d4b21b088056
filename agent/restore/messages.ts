// What the main thread and the workers of a restore say to each other. Sealed records are transferred, not copied.

import type { ErrorCode } from "../../vault/errors.ts";
import type { VaultSecrets } from "../../vault/keys/vaultKeys.ts";

export type WorkerSetup = {
  readonly secrets: VaultSecrets;
  readonly group: number;
  /** Descriptor of the target directory, open as long as the workers run. */
  readonly targetFd: number;
  readonly targetPath: Uint8Array;
  /** One word: the count of messages sent to this worker, to sleep on. */
  readonly signal: SharedArrayBuffer;
  /** Of Turns. */
  readonly turns: SharedArrayBuffer;
};

/** A run of a large file. `id` is undefined for a hole. */
export type PartExtent = {
  readonly start: number;
  readonly length: number;
  readonly id: Uint8Array | undefined;
  readonly offset: number;
  /** What is at the target already is right: keep it. */
  readonly local: boolean;
};

export type SentRecord = { readonly id: Uint8Array; readonly record: Uint8Array };

/** How a large file is written: in place, or beside what is there, from which equal ranges may be copied. */
export type LargeMode = { readonly inPlace: boolean; readonly base: boolean };

export type ToWorker = { readonly ticket: number } & (
  | {
      /** Small files of one chunk; without a record, empty files. */
      readonly kind: "write";
      readonly jobs: Uint8Array;
      readonly record: SentRecord | undefined;
    }
  | {
      readonly kind: "verify";
      readonly jobs: Uint8Array;
      /** Metadata stay as they are. */
      readonly look: boolean;
    }
  | {
      /** Which ranges of a file are right, without opening it for a restore. */
      readonly kind: "look";
      readonly job: Uint8Array;
      readonly mode: LargeMode;
      readonly extents: readonly PartExtent[];
    }
  | { readonly kind: "open"; readonly file: number; readonly job: Uint8Array; readonly mode: LargeMode }
  | { readonly kind: "compare"; readonly file: number; readonly extents: readonly PartExtent[] }
  | {
      readonly kind: "part";
      readonly file: number;
      readonly extents: readonly PartExtent[];
      readonly records: readonly SentRecord[];
    }
  | { readonly kind: "finish"; readonly file: number }
  | { readonly kind: "abandon"; readonly file: number; readonly keep: boolean }
);

/** Something that went wrong with one file. `fatal`: nothing else can go well either. */
export type WorkerNote = {
  /** Number of the job in its message. */
  readonly index: number;
  readonly failed: boolean;
  readonly fatal: boolean;
  readonly code: ErrorCode;
  readonly message: string;
};

export type FromWorker =
  | {
      readonly kind: "done";
      readonly ticket: number;
      readonly notes: readonly WorkerNote[];
      /** "verify": 1 where the file is right. "compare", "look": 1 where the range is. "open": whether there is something to compare with. */
      readonly right: Uint8Array | undefined;
    }
  | { readonly kind: "crashed"; readonly message: string };

/** Has a worker end after what it was sent before. */
export type Stop = { readonly stop: true };
