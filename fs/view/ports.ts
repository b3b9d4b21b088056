// What a view stands on: where sealed records come from, and which snapshots there are. The gateway implements both in
// its own process, the agent over HTTPS. Neither of these two knows a key: the keyring does.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";

/**
 * What one id brought: the sealed record, or why there is none. `record` is memory of the caller's own with nothing
 * else of use in its ArrayBuffer, so that it may be transferred to a worker thread.
 */
export type RecordResult =
  | { readonly state: "record"; readonly record: Buffer }
  | { readonly state: "missing" }
  /** The store knows that its copy is bad. `writer`: the device that uploaded it, in hex, where that is known. */
  | { readonly state: "damaged"; readonly writer?: string }
  /** The store has it in a replica alone, which does not answer now. */
  | { readonly state: "unavailable" }
  /** It comes with the box of this number, which is on its way. */
  | { readonly state: "promised"; readonly box: number }
  /** The store is a box to restore from, and it was left out there. */
  | { readonly state: "leftOut" };

/** The keys of the vaults that are unlocked here and now. */
export interface Keyring {
  /** The keys of a vault (32 hex), or undefined while it is locked. */
  keysOf(vaultId: string): VaultKeys | undefined;
  /** Calls back when a vault was unlocked or locked; returns a stop function. */
  onChanged(listener: () => void): () => void;
}

/** Takes the result for the id at a place of those asked for. */
export type TakeRecord = (index: number, result: RecordResult) => void;

export interface RecordSource {
  /**
   * Sealed records of a vault (32 hex) and group, at most 4,096 ids a call: one result per id, each taken as soon as it is there, so that
   * opening it does not wait for the rest.
   * @throws HoldfastError gateway-unreachable, cancelled and other failures of the whole request
   */
  readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: TakeRecord,
    signal?: AbortSignal,
  ): Promise<void>;
  /** All results at once, in the order asked, where that is less work; see readTogether. */
  read?(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly RecordResult[]>;
  /** Told of a record that did not open. Returns whether asking again may bring a sound one, or a better reason: it is then asked once more. */
  discard?(vaultId: string, group: number, id: Uint8Array): boolean;
}

/** One visible snapshot as its keeper knows it without keys. Ids are hex; times RFC 3339. */
export type CatalogSnapshot = {
  readonly id: string;
  readonly vault: string;
  readonly account: string;
  readonly device: string;
  readonly item: string;
  readonly group: number;
  readonly sequence: number;
  readonly received: string;
  readonly incomplete: boolean;
};

/** A device and the names of its items, also those without snapshots. */
export type CatalogDevice = {
  readonly account: string;
  readonly device: string;
  readonly items: readonly string[];
};

export interface SnapshotCatalog {
  /** Accounts that may be seen, by name; in the agent its own alone. */
  accounts(): Promise<readonly string[]>;
  /** The devices of an account. */
  devices(account: string): Promise<readonly CatalogDevice[]>;
  /** The snapshots of one item, newest first. */
  snapshots(account: string, device: string, item: string): Promise<readonly CatalogSnapshot[]>;
  /** The bytes of a snapshot object. @throws HoldfastError not-found */
  object(snapshot: CatalogSnapshot, signal?: AbortSignal): Promise<Uint8Array>;
  /** Calls back when any of the answers above may have changed; returns a stop function. */
  onChanged(listener: () => void): () => void;
}

/** A path whose history is asked for. Names as they are called, not as their folders. */
export type HistoryPath = {
  readonly account: string;
  readonly device: string;
  readonly item: string;
  /** Names from the root of the snapshots down; none for the whole snapshot. */
  readonly names: readonly Uint8Array[];
};

/** One content that a path had, over a run of snapshots in which it did not change. */
export type PathVersion = {
  /** The first snapshot of the run: its id (hex), its time (RFC 3339) and what drives call its folder. */
  readonly snapshot: string;
  readonly time: string;
  readonly folder: string;
  /** The time of the last snapshot of the run, and how many there are in it. */
  readonly until: string;
  readonly snapshots: number;
  /** What stat(2) calls it (NodeKind); `absent`: was there before and is not now; `unreadable`: `reason` says why. */
  readonly kind:
    | "file"
    | "directory"
    | "symlink"
    | "fifo"
    | "socket"
    | "characterDevice"
    | "blockDevice"
    | "absent"
    | "unreadable";
  /** Bytes: of a file, of a link's target, of all files below a directory; else 0. */
  readonly size: number;
  /** Nanoseconds since 1970 as the first snapshot of the run has them; 0n for the root and for what is not there. */
  readonly mtimeNs: bigint;
  /** Hex: the keyed hash of a file that is not empty, or the id of a directory's page. */
  readonly hash: string | undefined;
  readonly reason: Error | undefined;
};

/** Versions of a path, newest first. @throws HoldfastError not-found where no snapshot has it, vault-locked */
export type PathHistory = (path: HistoryPath, signal?: AbortSignal) => AsyncIterable<PathVersion>;
