// Directories by row number, for a front-end that lists 60,000 entries in a second and may not hold an object for each.
//
// A view that offers this answers from memory in the same turn of the event loop, without making anything per row; only what is
// not in memory comes as a promise. Everything here is immutable: rows keep their numbers as long as the snapshot exists.

import type { ReadyFiles } from "./readyFiles.ts";
import type { NodeKind, ViewNode } from "./view.ts";

/** At once where it is in memory. */
export type Soon<T> = T | Promise<T>;

/**
 * A directory inside a snapshot, in a form that a table may keep: `tree` is one object per snapshot, `id` is 32 bytes (which may be
 * memory of somebody else's: copy what is kept), the rest is its inode number.
 */
export type RowDirectory = {
  readonly tree: object;
  readonly id: Uint8Array;
  readonly inodeLow: number;
  readonly inodeHigh: number;
  /** The row that it hangs at, where it was come by through that row. */
  readonly place?: { readonly directory: Uint8Array; readonly row: number };
};

/** What stat(2) shows of one row, to be filled again and again. Numbers are below 2^53, times are floored to whole seconds. */
export type RowStat = {
  kind: NodeKind;
  /** 12 bits. */
  mode: number;
  uid: number;
  gid: number;
  size: number;
  allocatedBytes: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  ctimeSeconds: number;
  ctimeNanoseconds: number;
  linkCount: number;
  inodeLow: number;
  inodeHigh: number;
  deviceMajor: number;
  deviceMinor: number;
  /** Other names may share the inode. */
  linked: boolean;
};

/** A RowStat to fill. */
export function emptyRowStat(): RowStat {
  return {
    kind: "file",
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    allocatedBytes: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    ctimeSeconds: 0,
    ctimeNanoseconds: 0,
    linkCount: 1,
    inodeLow: 0,
    inodeHigh: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    linked: false,
  };
}

/** Neighbouring rows of a directory, `first` to `first + count`. It holds on to their page: only the last one may be kept. */
export interface RowRun {
  readonly first: number;
  readonly count: number;
  /** Bytes of the name of a row: 1 to 1,024, without `/` and NUL, never "." or "..". */
  nameBytes(row: number): number;
  /** Writes the name of a row into `out` at `at`. */
  copyName(row: number, out: Uint8Array, at: number): void;
  /** @throws HoldfastError corrupt */
  stat(row: number, out: RowStat): void;
  /** @throws HoldfastError corrupt */
  hasXattrs(row: number): boolean;
  /** The row as a directory, or undefined. */
  directory(row: number): RowDirectory | undefined;
  node(row: number): ViewNode;
}

/** The same failures as View: once a tree is closed (View.onClosed), everything about its rows is refused. */
export interface RowSource {
  /** Where a view offers files before they are asked for. */
  readonly ready?: ReadyFiles;
  /** Whether a directory's `tree` was closed. */
  isClosed(tree: object): boolean;
  /** A node as a directory of rows; undefined where View alone can list it. */
  directoryOf(node: ViewNode): RowDirectory | undefined;
  /** The run that holds a row; undefined past the end. `listing`: who asks goes through the rows in order, and perhaps below them. */
  run(directory: RowDirectory, row: number, listing: boolean): Soon<RowRun | undefined>;
  /** The run that holds the row of this name, and its number; undefined where there is none. */
  find(directory: RowDirectory, name: Uint8Array): Soon<FoundRow | undefined>;
}

export type FoundRow = { readonly run: RowRun; readonly row: number };
