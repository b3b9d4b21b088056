// Nodes of a drive that stand in no snapshot.

import type { HoldfastError } from "../../vault/errors.ts";
import { folderAttributes } from "./snapshotNodes.ts";
import { type Attributes, type DirectoryRow, NodeKind, type ViewNode } from "./view.ts";

/** A folder outside of snapshots. */
export class FolderNode implements ViewNode {
  readonly immutable = false;
  readonly attributes: Attributes;
  readonly path: string;
  readonly load: (folder: FolderNode) => Promise<DirectoryRow[]>;

  constructor(path: string, inode: bigint, load: (folder: FolderNode) => Promise<DirectoryRow[]>) {
    this.path = path;
    this.attributes = folderAttributes(inode, 0n);
    this.load = load;
  }
}

/** A symbolic link outside of snapshots. Its number depends on its target, so it never changes. */
export class LinkNode implements ViewNode {
  readonly immutable = true;
  readonly attributes: Attributes;
  readonly target: Buffer;

  constructor(target: string, inode: bigint, timeNs: bigint) {
    this.target = Buffer.from(target);
    const size = BigInt(this.target.length);
    this.attributes = { ...folderAttributes(inode, timeNs), kind: NodeKind.symlink, mode: 0o777, size };
  }
}

/** A file outside of snapshots: something to read for people. Its number depends on its text. */
export class TextNode implements ViewNode {
  readonly immutable = true;
  readonly attributes: Attributes;
  readonly bytes: Buffer;

  constructor(text: string, inode: bigint, timeNs: bigint) {
    this.bytes = Buffer.from(text);
    const size = BigInt(this.bytes.length);
    const file = { kind: NodeKind.file, mode: 0o444, size, allocatedBytes: size };
    this.attributes = { ...folderAttributes(inode, timeNs), ...file };
  }
}

/** The folder of a snapshot that cannot be opened now. */
export class ClosedNode implements ViewNode {
  readonly immutable = false;
  readonly attributes: Attributes;
  readonly reason: HoldfastError;

  constructor(inode: bigint, timeNs: bigint, reason: HoldfastError) {
    this.attributes = folderAttributes(inode, timeNs);
    this.reason = reason;
  }
}
