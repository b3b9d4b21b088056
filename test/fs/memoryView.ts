// A View in memory for the tests of every front-end: deterministic, and able to stall or fail a read on demand.

import type { Attributes, DirectoryPage, Extent, NodeKind, View, ViewNode } from "../../fs/view/view.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type MemoryContent = {
  readonly size: bigint;
  readonly extents: readonly Extent[];
  /** Fills `out` with the bytes at `offset`, all of them within the file. */
  fill(out: Uint8Array, offset: bigint): void;
};

export type MemoryNode = ViewNode & {
  attributes: Attributes;
  readonly content?: MemoryContent;
  readonly target?: Uint8Array;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** By name as latin1, in the order that readPage shows. */
  readonly children?: Map<string, MemoryNode>;
};

export type NodeOptions = Partial<Omit<Attributes, "kind" | "inode" | "size">> & {
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  readonly mutable?: boolean;
  readonly size?: bigint;
};

let lastInode = 1n;

/** A node of any kind, with deterministic defaults. */
export function node(
  kind: NodeKind,
  options: NodeOptions = {},
  parts: Pick<MemoryNode, "content" | "target" | "children"> = {},
): MemoryNode {
  const { xattrs, mutable, ...attributes } = options;
  const size = parts.content?.size ?? BigInt(parts.target?.length ?? 0);
  return {
    attributes: {
      kind,
      mode: kind === "directory" ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      userName: "root",
      groupName: "root",
      size,
      allocatedBytes: (parts.content?.extents ?? []).reduce((sum, e) => (e.hole ? sum : sum + e.length), 0n),
      mtimeNs: 1_700_000_000_123_456_789n,
      ctimeNs: 1_700_000_001_000_000_001n,
      birthtimeNs: 0n,
      linkCount: kind === "directory" ? 2 : 1,
      inode: ++lastInode,
      deviceMajor: 0,
      deviceMinor: 0,
      ...attributes,
    },
    immutable: mutable !== true,
    xattrs: xattrs ?? new Map(),
    ...parts,
  };
}

/** A directory; names are strings (UTF-8) or raw bytes. */
export function directory(
  rows: Iterable<readonly [string | Uint8Array, MemoryNode]>,
  options: NodeOptions = {},
): MemoryNode {
  const children = new Map<string, MemoryNode>();
  for (const [name, child] of rows) children.set(Buffer.from(name as string).toString("latin1"), child);
  return node("directory", options, { children });
}

/** A file of these bytes. */
export function file(bytes: Uint8Array | string, options: NodeOptions = {}): MemoryNode {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  const size = BigInt(data.length);
  const fill = (out: Uint8Array, offset: bigint): void => {
    out.set(data.subarray(Number(offset), Number(offset) + out.length));
  };
  const extents = size === 0n ? [] : [{ offset: 0n, length: size, hole: false }];
  return node("file", options, { content: { size, extents, fill } });
}

/** The byte that every synthetic data extent has at `offset` (below 2^53). */
export function syntheticByte(offset: number): number {
  return (Math.floor(offset / 4096) * 31 + (offset % 4096)) & 0xff;
}

/** A file of any size whose data extents hold syntheticByte of each offset. */
export function sparseFile(
  size: bigint,
  data: readonly { readonly offset: bigint; readonly length: bigint }[],
  options: NodeOptions = {},
): MemoryNode {
  const extents: Extent[] = [];
  let at = 0n;
  for (const { offset, length } of data) {
    if (offset > at) extents.push({ offset: at, length: offset - at, hole: true });
    extents.push({ offset, length, hole: false });
    at = offset + length;
  }
  if (at < size) extents.push({ offset: at, length: size - at, hole: true });
  const fill = (out: Uint8Array, offset: bigint): void => {
    out.fill(0);
    const start = Number(offset);
    for (const extent of data) {
      const from = Math.max(start, Number(extent.offset));
      const to = Math.min(start + out.length, Number(extent.offset + extent.length));
      for (let at = from; at < to; at++) out[at - start] = syntheticByte(at);
    }
  };
  return node("file", options, { content: { size, extents, fill } });
}

export class MemoryView implements View {
  root: MemoryNode;
  /** Runs before each read and may wait or throw. */
  beforeRead: (node: ViewNode, offset: bigint, signal?: AbortSignal) => Promise<void> | void = () => {};
  /** Runs before each lookup and may wait or throw. */
  beforeLookup: (name: string) => Promise<void> | void = () => {};
  readonly counts = { lookup: 0, readPage: 0, read: 0, readsNow: 0, readsMost: 0 };
  /** Rows of immutable directories, so that a page of a very large one does not walk to its start. */
  readonly #frozen = new WeakMap<ViewNode, [string, MemoryNode][]>();
  readonly #listeners = new Set<(directory: ViewNode) => void>();

  constructor(root: MemoryNode) {
    this.root = root;
  }

  async lookup(parent: ViewNode, name: Uint8Array): Promise<ViewNode | undefined> {
    this.counts.lookup++;
    const key = Buffer.from(name).toString("latin1");
    await this.beforeLookup(key);
    return (parent as MemoryNode).children?.get(key);
  }

  async readPage(parent: ViewNode, from: bigint, rowsMax: number): Promise<DirectoryPage> {
    this.counts.readPage++;
    const children = (parent as MemoryNode).children;
    if (children === undefined) throw new HoldfastError(ErrorCode.notFound, "not a directory");
    const first = Number(from);
    const all = (parent.immutable ? this.#frozen.get(parent) : undefined) ?? [...children];
    if (parent.immutable) this.#frozen.set(parent, all);
    const some = all.slice(first, first + rowsMax);
    const rows = some.map(([name, child]) => ({ name: Buffer.from(name, "latin1"), node: child }));
    const end = first + rows.length;
    return { rows, next: end < children.size ? BigInt(end) : undefined };
  }

  async readlink(link: ViewNode): Promise<Uint8Array> {
    const { target } = link as MemoryNode;
    if (target === undefined) throw new HoldfastError(ErrorCode.usage, "not a symbolic link");
    return target;
  }

  async xattrs(of: ViewNode): Promise<ReadonlyMap<string, Uint8Array>> {
    return (of as MemoryNode).xattrs;
  }

  async read(of: ViewNode, offset: bigint, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.counts.read++;
    this.counts.readsNow++;
    this.counts.readsMost = Math.max(this.counts.readsMost, this.counts.readsNow);
    try {
      await this.beforeRead(of, offset, signal);
      const { content } = of as MemoryNode;
      if (content === undefined) throw new HoldfastError(ErrorCode.usage, "not a file");
      const left = content.size > offset ? content.size - offset : 0n;
      const out = Buffer.allocUnsafeSlow(left < BigInt(length) ? Number(left) : length);
      content.fill(out, offset);
      return out;
    } finally {
      this.counts.readsNow--;
    }
  }

  async readPieces(
    of: ViewNode,
    offset: bigint,
    length: number,
    signal?: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    return [await this.read(of, offset, length, signal)];
  }

  piecesNow(): undefined {
    return undefined;
  }

  /** Content is told apart by its node alone. */
  contentTag({ attributes }: ViewNode): string {
    return `node-${attributes.inode}`;
  }

  async extentAt(of: ViewNode, offset: bigint): Promise<Extent | undefined> {
    return (of as MemoryNode).content?.extents.find((extent) => extent.offset + extent.length > offset);
  }

  async statistics(): Promise<{ totalBytes: bigint; nodes: bigint }> {
    return { totalBytes: 10n * 1024n ** 3n, nodes: 12_345n };
  }

  onNamesChanged(listener: (directory: ViewNode) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onClosed(): () => void {
    return () => undefined;
  }

  /** Tells all listeners that names below `parent` changed. */
  namesChanged(parent: ViewNode): void {
    for (const listener of this.#listeners) listener(parent);
  }
}
