// Nodes inside snapshots. They hold copies of what their row says and no page, so that a drive may know 100,000 of them.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { dataBytesOf, type EntryDraft, EntryKind, type Timestamp } from "../../vault/tree/entry.ts";
import { ContentAhead } from "./contentAhead.ts";
import { ContentReader } from "./contentReader.ts";
import { InodeNumbers, linkState } from "./inodeNumbers.ts";
import type { FileTaker } from "./readyFiles.ts";
import type { RecordOpener } from "./recordOpener.ts";
import { detachedRef, isLinked, type TreeEntry, TreeReader } from "./treeReader.ts";
import { type Attributes, NodeKind, type ViewNode } from "./view.ts";
import { WalkAhead } from "./walkAhead.ts";

export const kinds: Readonly<Record<EntryKind, NodeKind>> = {
  [EntryKind.file]: NodeKind.file,
  [EntryKind.directory]: NodeKind.directory,
  [EntryKind.symlink]: NodeKind.symlink,
  [EntryKind.fifo]: NodeKind.fifo,
  [EntryKind.socket]: NodeKind.socket,
  [EntryKind.characterDevice]: NodeKind.characterDevice,
  [EntryKind.blockDevice]: NodeKind.blockDevice,
};

/** What stat(2) calls an entry's kind. */
export function kindOf(kind: EntryKind): NodeKind {
  return kinds[kind];
}

/** What a directory without other figures shows as its size. */
export const directoryBytes = 4096n;

/** A row of the directory whose root page has this id. */
export type RowPlace = { readonly directory: Buffer; readonly row: number };
/** Shared by all that was opened with one vault's keys; `closed` says why it may no longer be read. */
export type VaultLock = { closed: HoldfastError | undefined };

/** An opened snapshot: what its nodes are read with. */
export class SnapshotContext {
  readonly tree: TreeReader;
  readonly ahead: WalkAhead;
  readonly content: ContentReader;
  readonly contentAhead: ContentAhead;
  readonly inodes: InodeNumbers;
  /** Id of the root directory page. */
  readonly root: Buffer;
  readonly timeNs: bigint;
  readonly lock: VaultLock;

  constructor(
    opener: RecordOpener,
    snapshot: {
      readonly id: string;
      readonly root: Uint8Array;
      readonly timeNs: bigint;
      readonly lock: VaultLock;
    },
    takers: ReadonlySet<FileTaker> = new Set(),
  ) {
    this.tree = new TreeReader(opener);
    this.ahead = new WalkAhead(this.tree);
    this.content = new ContentReader(opener);
    this.contentAhead = new ContentAhead(this.tree, this.content, this, takers);
    this.inodes = new InodeNumbers(snapshot.id);
    this.root = Buffer.from(snapshot.root);
    this.timeNs = snapshot.timeNs;
    this.lock = snapshot.lock;
  }

  /** The node of a row of the directory that has this number; `place`: which row that is, where it is known. */
  nodeOf(entry: TreeEntry, numberOf: (name: Uint8Array) => bigint, place?: RowPlace): EntryNode {
    if (!isLinked(entry)) return new EntryNode(this, entry, numberOf(entry.name), place);
    const { device, inode, size, target, ctime } = entry;
    const state = linkState(size ?? target?.length ?? 0, ctime.seconds, ctime.nanoseconds);
    return new EntryNode(this, entry, this.inodes.ofLink(device, inode, state), place);
  }
}

/** A directory of a snapshot: its root or one below. */
export type DirectoryNode = ViewNode & { readonly context: SnapshotContext; readonly page: Buffer };

/** The root directory of a snapshot, which has no row of its own. */
export class RootNode implements DirectoryNode {
  readonly immutable = true;
  readonly context: SnapshotContext;
  readonly page: Buffer;
  readonly attributes: Attributes;

  constructor(context: SnapshotContext, inode: bigint) {
    this.context = context;
    this.page = context.root;
    this.attributes = folderAttributes(inode, context.timeNs);
  }
}

export class EntryNode implements ViewNode {
  readonly immutable = true;
  readonly context: SnapshotContext;
  readonly entry: EntryDraft;
  readonly place: RowPlace | undefined;
  readonly #inode: bigint;

  constructor(context: SnapshotContext, entry: TreeEntry, inode: bigint, place?: RowPlace) {
    this.context = context;
    this.place = place;
    this.entry = detached(entry);
    this.#inode = inode;
  }

  /** The root page of a directory. @throws HoldfastError usage for anything else */
  get page(): Buffer {
    const { child } = this.entry;
    if (child === undefined) throw new HoldfastError(ErrorCode.usage, "not a directory");
    return child.id as Buffer;
  }

  // Made when asked for: kept, they would double what a node costs.
  get attributes(): Attributes {
    const { entry } = this;
    const size = entry.child === undefined ? BigInt(entry.size ?? entry.target?.length ?? 0) : directoryBytes;
    return {
      kind: kinds[entry.kind],
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      userName: entry.userName,
      groupName: entry.groupName,
      size,
      // A sparse file whose entry does not count its data counts whole: its pages would have to be read for every stat.
      allocatedBytes: BigInt((entry.content && dataBytesOf(entry.content)) ?? entry.size ?? 0),
      mtimeNs: nanoseconds(entry.mtime),
      ctimeNs: nanoseconds(entry.ctime),
      birthtimeNs: nanoseconds(entry.btime),
      linkCount: linkCountOf(entry),
      inode: this.#inode,
      deviceMajor: entry.major ?? 0,
      deviceMinor: entry.minor ?? 0,
    };
  }
}

/** How many names a node has. A directory without subdirectories has 2; others say 1, which means "not counted". */
function linkCountOf(entry: TreeEntry): number {
  if (entry.child === undefined) return Math.max(1, entry.linkCount);
  return entry.child.directories === 0 ? 2 : 1;
}

/** Nanoseconds since 1970. */
export function nanoseconds(time: Timestamp): bigint {
  return BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds);
}

/** A copy of an entry whose buffers are memory of their own. */
function detached(entry: TreeEntry): EntryDraft {
  const { xattrs, content, child, target, fileHash } = entry;
  return {
    ...entry,
    name: empty,
    xattrs:
      xattrs.form === "inline"
        ? {
            form: "inline",
            list: xattrs.list.map(({ name, value }) => ({
              name: Buffer.from(name),
              value: Buffer.from(value),
            })),
          }
        : xattrs.form === "record"
          ? detachedRef(xattrs)
          : xattrs,
    ...(content === undefined
      ? {}
      : {
          content:
            content.form === "pages"
              ? detachedRef(content)
              : {
                  form: "inline" as const,
                  extents: content.extents.map((extent) => (extent.hole ? extent : detachedRef(extent))),
                },
        }),
    ...(child === undefined ? {} : { child: detachedRef(child) }),
    ...(target === undefined ? {} : { target: Buffer.from(target) }),
    ...(fileHash === undefined ? {} : { fileHash: empty }),
  };
}

const empty = Buffer.alloc(0);

/** Attributes of a folder that no row describes. */
export function folderAttributes(inode: bigint, timeNs: bigint): Attributes {
  return {
    kind: NodeKind.directory,
    mode: 0o755,
    uid: 0,
    gid: 0,
    userName: "",
    groupName: "",
    size: directoryBytes,
    allocatedBytes: 0n,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
    birthtimeNs: 0n,
    linkCount: 1,
    inode,
    deviceMajor: 0,
    deviceMinor: 0,
  };
}
