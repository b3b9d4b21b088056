// Descriptions of trees for fixture vaults.

import type { CatalogSnapshot } from "../../fs/view/ports.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import type { Timestamp } from "../../vault/tree/entry.ts";
import type { Xattr } from "../../vault/tree/xattrs.ts";

/** A piece of a file: bytes, or the length of a hole. */
export type Piece = Uint8Array | number;

type CommonSpec = {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly userName?: string;
  readonly groupName?: string;
  readonly mtime?: Timestamp;
  readonly xattrs?: readonly Xattr[];
  readonly inode?: bigint;
  readonly linkCount?: number;
};

export type FileSpec = CommonSpec & {
  readonly kind: "file";
  readonly pieces: readonly Piece[];
  /** Kept apart from the content so that tests can lie. */
  readonly hash?: Buffer;
};

export type NodeSpec =
  | FileSpec
  | (CommonSpec & {
      readonly kind: "directory";
      readonly rows: Iterable<readonly [string | Buffer, NodeSpec]>;
    })
  | (CommonSpec & { readonly kind: "symlink"; readonly target: string | Buffer })
  | (CommonSpec & { readonly kind: "fifo" | "socket" })
  | (CommonSpec & {
      readonly kind: "characterDevice" | "blockDevice";
      readonly major: number;
      readonly minor: number;
    });

/** What a snapshot says of itself; all has a value where nothing is given. */
export type SnapshotOptions = Partial<Pick<CatalogSnapshot, "item" | "device" | "account" | "incomplete">> & {
  readonly time?: string;
  readonly paths?: readonly string[];
};

/** Shorthands. */
export const fileOf = (content: string | Uint8Array, more: CommonSpec = {}): FileSpec => ({
  kind: "file",
  pieces: content.length === 0 ? [] : [typeof content === "string" ? Buffer.from(content) : content],
  ...more,
});
export const sparseOf = (pieces: readonly Piece[], more: CommonSpec = {}): FileSpec => ({
  kind: "file",
  pieces,
  ...more,
});
export const directoryOf = (
  rows: Record<string, NodeSpec> | Iterable<readonly [string | Buffer, NodeSpec]>,
  more: CommonSpec = {},
): NodeSpec => ({
  kind: "directory",
  rows: Symbol.iterator in rows ? rows : Object.entries(rows),
  ...more,
});

/** The size of a file and its hash; none for an empty one. */
export function measured(
  pieces: readonly Piece[],
  key: Uint8Array,
): { size: number; hash: Buffer | undefined } {
  const hasher = new FileHasher(key);
  let size = 0;
  for (const piece of pieces) {
    if (typeof piece === "number") hasher.skipZeros(piece);
    else hasher.update(piece);
    size += typeof piece === "number" ? piece : piece.length;
  }
  return { size, hash: hasher.digest() };
}
