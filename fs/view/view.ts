// The one read-only interface that every front-end (FUSE, WebDAV, archives) speaks.
// It knows no protocol. Nodes are immutable once opened inside a snapshot; only the namespace
// above snapshots (accounts, devices, items, time folders) changes as snapshots come and go.

import type { HoldfastError } from "../../vault/errors.ts";
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
  /** Reads `length` bytes at `offset`; shorter only at the end of the file, in memory of their own. Holes read as zeros. */
  read(node: ViewNode, offset: bigint, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * The same as pieces one behind the other, which may be views of cached memory: they are good until the event loop's next turn, so
   * whoever passes them on to something asynchronous copies them.
   */
  readPieces(
    node: ViewNode,
    offset: bigint,
    length: number,
    signal?: AbortSignal,
  ): Promise<readonly Uint8Array[]>;
  /** The same of what is in memory, at once; undefined when it has to be waited for. Never throws for what readPieces would tell. */
  piecesNow(node: ViewNode, offset: bigint, length: number): readonly Uint8Array[] | undefined;
  /** A short name of a file's content, in base64url characters: the same only for the same bytes, in any snapshot. Reads nothing. */
  contentTag(node: ViewNode): string;
  /** The first extent boundary map row that contains or follows `offset`; undefined past the end. */
  extentAt(node: ViewNode, offset: bigint): Promise<Extent | undefined>;
  /** Whole-tree figures for statfs. */
  statistics(): Promise<{ readonly totalBytes: bigint; readonly nodes: bigint }>;
  /**
   * Calls back when names below a directory outside any snapshot changed; returns a stop function. `gone`: those that are no longer
   * there or mean something else now; all may be where it is not given.
   */
  onNamesChanged(listener: (directory: ViewNode, gone?: readonly Uint8Array[]) => void): () => void;
  /**
   * Calls back when nodes were closed for good, since their vault was locked: whoever keeps nodes drops those that `reasonOf`
   * knows, with all that was read of them. Later look-ups give new nodes. Returns a stop function.
   */
  onClosed(listener: (reasonOf: (node: ViewNode) => HoldfastError | undefined) => void): () => void;
}
