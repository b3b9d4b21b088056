// The one read-only interface that every front-end (FUSE, WebDAV, archives) speaks.
// It knows no protocol. Nodes are immutable once opened inside a snapshot; only the namespace
// above snapshots (accounts, devices, items, time folders) changes as snapshots come and go.

import type { RowSource } from "./rows.ts";

/** What kind of thing a node is; the names are those of stat(2). */
export const NodeKind = {
  file: "file",
  directory: "directory",
  symlink: "symlink",
  fifo: "fifo",
  socket: "socket",
  characterDevice: "characterDevice",
  blockDevice: "blockDevice",
} as const;
export type NodeKind = (typeof NodeKind)[keyof typeof NodeKind];

/** Everything stat(2) says. Times are nanoseconds since 1970 (may be negative). */
export type Attributes = {
  readonly kind: NodeKind;
  /** Permission bits with setuid, setgid and sticky (07777), without the type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Bytes; for a symlink the length of its target. */
  readonly size: bigint;
  /** Bytes that are not holes. */
  readonly allocatedBytes: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** 0n where the source does not know it. */
  readonly birthtimeNs: bigint;
  readonly linkCount: number;
  /** Stable for one node as long as its snapshot exists; hard links to one file share it. */
  readonly inode: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
};

export type DirectoryRow = {
  /** Raw bytes, never "." or "..". */
  readonly name: Uint8Array;
  readonly node: ViewNode;
};

export type DirectoryPage = {
  readonly rows: readonly DirectoryRow[];
  /** Pass to the next readPage call; undefined at the end. */
  readonly next: bigint | undefined;
};

export type Extent = { readonly offset: bigint; readonly length: bigint; readonly hole: boolean };

/** A file, directory or other thing in the view. Cheap to hold: no open handle behind it. */
export interface ViewNode {
  readonly attributes: Attributes;
  /** True when content and attributes can never change (everything inside a snapshot). */
  readonly immutable: boolean;
}

/**
 * The read-only view. All methods may fail with a HoldfastError: not-found, vault-locked,
 * chunk-missing, chunk-damaged (for the range that was asked for alone), gateway-unreachable.
 */
export interface View {
  readonly root: ViewNode;
  /** Directories inside snapshots by row number, where a view has them so. */
  readonly rows?: RowSource;
  /** The child of a directory, or undefined. Names are raw bytes. */
  lookup(directory: ViewNode, name: Uint8Array): Promise<ViewNode | undefined>;
  /** A page of a directory in a stable order. `from` is 0n or a `next` of an earlier page. */
  readPage(directory: ViewNode, from: bigint, rowsMax: number): Promise<DirectoryPage>;
  readlink(node: ViewNode): Promise<Uint8Array>;
  /** Names (a character per byte, like "user.note", "system.posix_acl_access") and values. */
  xattrs(node: ViewNode): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Reads `length` bytes at `offset`; shorter only at the end of the file. Holes read as zeros. */
  read(node: ViewNode, offset: bigint, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** A short name of a file's content, in base64url characters: the same only for the same bytes, in any snapshot. Reads nothing. */
  contentTag(node: ViewNode): string;
  /** The first extent boundary map row that contains or follows `offset`; undefined past the end. */
  extentAt(node: ViewNode, offset: bigint): Promise<Extent | undefined>;
  /** Whole-tree figures for statfs. */
  statistics(): Promise<{ readonly totalBytes: bigint; readonly nodes: bigint }>;
  /** Calls back when names below a directory outside any snapshot changed; returns a stop function. */
  onNamesChanged(listener: (directory: ViewNode) => void): () => void;
}
