// What the main thread and the workers of a backup say to each other. Bulk data never travels in a message:
// plaintext stays in shared windows.

import type { Chunker } from "../../vault/chunk/chunker.ts";
import type { VaultSecrets } from "../../vault/keys/vaultKeys.ts";
import type { Xattr } from "../platform/port.ts";
import type { PackedFiles, PackedOutcomes } from "./bundleMessage.ts";

/** What a worker is started with. */
export type WorkerSetup = {
  readonly worker: number;
  readonly secrets: VaultSecrets;
  readonly group: number;
  readonly chunker: Chunker;
  /** What the worker reads into, and the main thread seals out of. */
  readonly windows: readonly SharedArrayBuffer[];
  /** One word: the count of messages sent to this worker, to sleep on. */
  readonly signal: SharedArrayBuffer;
};

/** A place in a window that holds one chunk's plaintext. */
export type Place = {
  readonly worker: number;
  readonly window: number;
  readonly offset: number;
  readonly length: number;
  /** How many places the worker took before: chunks of a file come in its order. */
  readonly order: number;
};

export type FileToOpen = {
  /** Descriptor of the open directory; the main thread keeps it open until the task is done. */
  readonly directory: number;
  readonly name: Uint8Array;
  readonly size: number;
  /** The attribute row of the walk: a file that no longer agrees with it is read by its new attributes. */
  readonly mark: Uint32Array;
  /** The file hash in the previous snapshot: equal content keeps its extents and joins no bundle. */
  readonly previousHash: Uint8Array | undefined;
};

/** A pipe to read to its end. */
export type StreamToRead = {
  /** The main thread keeps it open until the task is done. */
  readonly fd: number;
  /** What its file is called: disk images are cut by it. */
  readonly name: Uint8Array;
  /** Where reading stops. */
  readonly bytesMax: number | undefined;
  /** Of a StreamState. */
  readonly state: SharedArrayBuffer;
};

export type StreamOutcome = {
  readonly size: number;
  readonly fileHash: Uint8Array | undefined;
  /** There was more than `bytesMax`. */
  readonly over: boolean;
};

export type ToWorker =
  | { readonly kind: "readBundle"; readonly task: number; readonly files: PackedFiles }
  | { readonly kind: "readFile"; readonly task: number; readonly file: FileToOpen }
  | { readonly kind: "readStream"; readonly task: number; readonly stream: StreamToRead }
  | { readonly kind: "release"; readonly window: number }
  | { readonly kind: "stop" };

/** How one file fared. `row` is its attribute row where that differs from the walk's. */
export type FileOutcome = {
  readonly failed: string | undefined;
  /** A warning although the content stands: the file changed while it was read. */
  readonly changed: string | undefined;
  readonly row: Uint8Array | undefined;
  readonly xattrs: readonly Xattr[];
  /** Why the extended attributes are left out. */
  readonly xattrsFailed: string | undefined;
  readonly size: number;
  readonly fileHash: Uint8Array | undefined;
  /** Bundles: offset in the bundle; -1: not in it (empty, failed, or same content as before). */
  readonly offset: number;
  readonly sameContent: boolean;
  /** Bundles: it had holes, or was too large for its bundle when it was opened, so it must be read by itself. */
  readonly apart: boolean;
};

export type FromWorker =
  | {
      readonly kind: "bundle";
      readonly task: number;
      readonly id: Uint8Array | undefined;
      readonly place: Place | undefined;
      readonly outcomes: PackedOutcomes;
    }
  | { readonly kind: "hole"; readonly task: number; readonly length: number }
  | { readonly kind: "chunk"; readonly task: number; readonly id: Uint8Array; readonly place: Place }
  | { readonly kind: "file"; readonly task: number; readonly outcome: FileOutcome }
  | { readonly kind: "stream"; readonly task: number; readonly outcome: StreamOutcome }
  | { readonly kind: "crashed"; readonly message: string };
