// What the steps of restoring one vault share.

import type { HoldfastError } from "../../../vault/errors.ts";
import type { ReplicaStore } from "../replicaStore.ts";

export type RestoreProgress = {
  /** Objects that are here, and bytes of them. */
  readonly objects: number;
  readonly bytes: number;
  /** As far as is known now: grows while manifests are read. */
  readonly totalObjects: number;
  readonly totalBytes: number;
};

/** What was found damaged and gone around, with --allow-damaged. */
export type Damage = {
  /** Key of the object. */
  readonly object: string;
  readonly message: string;
};

export type RestorePort = {
  readonly store: ReplicaStore;
  /** 32 hex digits. */
  readonly vault: string;
  /** The vault's directory in the new data directory. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Objects that are fetched at a time. */
  readonly parallel: number;
  /** More to fetch was found. */
  readonly expect: (objects: number, bytes: number) => void;
  /** Something was fetched. */
  readonly arrived: (objects: number, bytes: number) => void;
  /** Goes around an object that is missing or wrong, or throws the error: it decides. */
  readonly tolerate: (error: HoldfastError) => void;
};
