// Rows of directories in snapshots, straight from the bytes of their pages.

import { EntryKind } from "../../vault/tree/entry.ts";
import type { LeafPage } from "../../vault/tree/page.ts";
import type { RowAttributes } from "../../vault/tree/rowAttributes.ts";
import { emptyRowAttributes } from "../../vault/tree/rowAttributes.ts";
import { linkState } from "./inodeNumbers.ts";
import type { FileTaker, ReadyFiles } from "./readyFiles.ts";
import type { FoundRow, RowDirectory, RowRun, RowSource, RowStat, Soon } from "./rows.ts";
import { directoryBytes, EntryNode, kinds, RootNode, type SnapshotContext } from "./snapshotNodes.ts";
import type { LeafRows } from "./treeReader.ts";
import type { ViewNode } from "./view.ts";

const attributes: RowAttributes = emptyRowAttributes();
const directorySize = Number(directoryBytes);

export class SnapshotRows implements RowSource {
  /** Those who take files of any snapshot here. */
  readonly takers = new Set<FileTaker>();
  readonly ready: ReadyFiles = {
    offerTo: (take) => {
      this.takers.add(take);
      return () => this.takers.delete(take);
    },
    listed: ({ tree, id }) => (tree as SnapshotContext).contentAhead.listed(id),
  };

  isClosed(tree: object): boolean {
    return (tree as SnapshotContext).lock.closed !== undefined;
  }

  directoryOf(node: ViewNode): RowDirectory | undefined {
    if (!(node instanceof RootNode || (node instanceof EntryNode && node.entry.child !== undefined))) {
      return undefined;
    }
    const { inode } = node.attributes;
    const place = node instanceof EntryNode ? node.place : undefined;
    return {
      tree: node.context,
      id: node.page,
      inodeLow: Number(inode & 0xffff_ffffn),
      inodeHigh: Number(inode >> 32n),
      ...(place !== undefined && { place }),
    };
  }

  run(directory: RowDirectory, row: number, listing: boolean): Soon<RowRun | undefined> {
    const context = openContext(directory);
    const rows = context.tree.leafAt(directory.id, row);
    if (rows instanceof Promise) return rows.then((later) => runOf(context, directory, later, listing));
    return runOf(context, directory, rows, listing);
  }

  find(directory: RowDirectory, name: Uint8Array): Soon<FoundRow | undefined> {
    const context = openContext(directory);
    const rows = context.tree.find(directory.id, name);
    if (rows instanceof Promise) return rows.then((later) => foundOf(context, directory, later));
    return foundOf(context, directory, rows);
  }
}

/** @throws HoldfastError vault-locked, once it is closed */
function openContext({ tree }: RowDirectory): SnapshotContext {
  const context = tree as SnapshotContext;
  if (context.lock.closed !== undefined) throw context.lock.closed;
  return context;
}

function runOf(
  context: SnapshotContext,
  directory: RowDirectory,
  rows: LeafRows | undefined,
  listing: boolean,
): RowRun | undefined {
  openContext(directory);
  if (rows === undefined) return undefined;
  if (listing && rows.from === 0) listed(context, directory, rows);
  return new SnapshotRun(context, directory, rows);
}

/** Somebody lists a directory: what is below it, and the content of its files, may be wanted next. */
function listed(context: SnapshotContext, { id, place }: RowDirectory, { page, first }: LeafRows): void {
  context.ahead.listed(page, first === 0 ? id : undefined);
  if (first === 0 && place !== undefined)
    context.contentAhead.entered(id, Buffer.from(place.directory), place.row);
}

function foundOf(
  context: SnapshotContext,
  directory: RowDirectory,
  rows: LeafRows | undefined,
): FoundRow | undefined {
  openContext(directory);
  return rows && { run: new SnapshotRun(context, directory, rows), row: rows.first };
}

class SnapshotRun implements RowRun {
  readonly first: number;
  readonly count: number;
  readonly #context: SnapshotContext;
  readonly #directory: RowDirectory;
  readonly #page: LeafPage;

  constructor(context: SnapshotContext, directory: RowDirectory, { page, from, first }: LeafRows) {
    this.first = first - from;
    this.count = page.rowCount;
    this.#context = context;
    this.#directory = directory;
    this.#page = page;
  }

  nameBytes(row: number): number {
    const at = row - this.first;
    return this.#page.nameEnd(at) - this.#page.nameStart(at);
  }

  copyName(row: number, out: Uint8Array, at: number): void {
    const { bytes } = this.#page;
    const end = this.#page.nameEnd(row - this.first);
    let to = at;
    // Names are short: a loop is faster than a call into native code.
    for (let from = this.#page.nameStart(row - this.first); from < end; from++) out[to++] = bytes[from]!;
  }

  stat(row: number, out: RowStat): void {
    const at = row - this.first;
    this.#page.attributesAt(at, attributes);
    const { kind } = attributes;
    const directory = kind === EntryKind.directory;
    out.kind = kinds[kind];
    out.mode = attributes.mode & 0o7777;
    out.uid = attributes.uid;
    out.gid = attributes.gid;
    out.size = directory ? directorySize : attributes.size + attributes.targetBytes;
    out.allocatedBytes = attributes.dataBytes;
    out.mtimeSeconds = attributes.mtimeSeconds;
    out.mtimeNanoseconds = attributes.mtimeNanoseconds;
    out.ctimeSeconds = attributes.ctimeSeconds;
    out.ctimeNanoseconds = attributes.ctimeNanoseconds;
    out.linkCount = directory ? (attributes.directories === 0 ? 2 : 1) : Math.max(1, attributes.linkCount);
    out.deviceMajor = attributes.major;
    out.deviceMinor = attributes.minor;
    out.linked = !directory && attributes.linkCount > 1;
    // See SnapshotContext.nodeOf.
    if (out.linked) {
      const state = linkState(out.size, attributes.ctimeSeconds, attributes.ctimeNanoseconds);
      this.#context.inodes.ofLinkWords(attributes, state, out);
    } else this.#number(at, out);
  }

  hasXattrs(row: number): boolean {
    return this.#page.attributesAt(row - this.first, attributes).hasXattrs;
  }

  directory(row: number): RowDirectory | undefined {
    const at = row - this.first;
    const { child } = this.#page.attributesAt(at, attributes);
    if (child < 0) return undefined;
    const number = { inodeLow: 0, inodeHigh: 0 };
    this.#number(at, number);
    const place = { directory: this.#directory.id, row };
    return { tree: this.#context, id: this.#page.ref(child).id, place, ...number };
  }

  node(row: number): ViewNode {
    const { inodeLow, inodeHigh } = this.#directory;
    const inode = (BigInt(inodeHigh) << 32n) | BigInt(inodeLow);
    const place = { directory: Buffer.from(this.#directory.id), row };
    const { inodes } = this.#context;
    return this.#context.nodeOf(this.#page.draft(row - this.first), inodes.within(inode), place);
  }

  #number(at: number, out: { inodeLow: number; inodeHigh: number }): void {
    const { bytes } = this.#page;
    const [from, to] = [this.#page.nameStart(at), this.#page.nameEnd(at)];
    this.#context.inodes.childWords(this.#directory, bytes, from, to, out);
  }
}
