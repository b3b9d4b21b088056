// The View over vaults: folders of the namespace above, trees of snapshots below.

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { contentTag, textTag } from "./contentTag.ts";
import { ClosedNode, FolderNode, LinkNode, TextNode } from "./folderNodes.ts";
import { versionsOf } from "./history.ts";
import { HistoryFolder } from "./historyFolders.ts";
import type { SnapshotParts } from "./itemSnapshots.ts";
import { extentOfText, mergedExtent } from "./mergedExtent.ts";
import { Namespace } from "./namespace.ts";
import type { HistoryPath, PathHistory, PathVersion } from "./ports.ts";
import { type DirectoryNode, EntryNode, RootNode } from "./snapshotNodes.ts";
import { SnapshotRows } from "./snapshotRows.ts";
import type { DirectoryPage, DirectoryRow, Extent, View, ViewNode } from "./view.ts";

const MiB = 1024 * 1024;
/** How far a reader that goes front to back is read ahead of. */
const readAheadBytes = 8 * MiB;

/** How far a file was read without a gap, and how far it was read ahead. */
type Progress = { next: number; ahead: number };

export class VaultView implements View {
  readonly root: ViewNode;
  readonly rows = new SnapshotRows();
  readonly history: PathHistory = (path, signal) => this.#versions(path, signal);
  readonly #namespace: Namespace;
  readonly #listeners = new Set<Parameters<View["onNamesChanged"]>[0]>();
  readonly #closedListeners = new Set<ClosedListener>();
  readonly #progress = new WeakMap<EntryNode, Progress>();
  readonly #stops: readonly (() => void)[];
  #refreshing: Promise<void> | undefined;
  #refreshAgain = false;

  constructor(parts: SnapshotParts) {
    this.#namespace = new Namespace({ ...parts, takers: this.rows.takers });
    this.root = this.#namespace.root;
    this.#stops = [
      parts.catalog.onChanged(() => this.#changed()),
      parts.keyring.onChanged(() => {
        parts.pool?.forgetUnless((keys) => parts.keyring.keysOf(toHex(keys.vaultId)) === keys);
        this.#closeLocked();
        this.#changed();
      }),
    ];
  }

  /** Stops listening to catalog and keyring. */
  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
    this.#closedListeners.clear();
  }

  async lookup(directory: ViewNode, name: Uint8Array): Promise<ViewNode | undefined> {
    if (directory instanceof FolderNode) return this.#namespace.lookup(directory, name);
    return unlessClosed(directory, async () => {
      if (directory instanceof HistoryFolder) return this.#namespace.history.lookup(directory, name);
      const { context, page, attributes } = directoryOf(directory);
      const entry = await context.tree.lookup(page, name);
      return entry === undefined ? undefined : context.nodeOf(entry, context.inodes.within(attributes.inode));
    });
  }

  async readPage(directory: ViewNode, from: bigint, rowsMax: number): Promise<DirectoryPage> {
    const first = Number(from);
    if (directory instanceof FolderNode) {
      const all = await this.#namespace.rows(directory);
      const rows = all.slice(first, first + rowsMax);
      return { rows, next: first + rows.length < all.length ? BigInt(first + rows.length) : undefined };
    }
    return unlessClosed(directory, () =>
      directory instanceof HistoryFolder
        ? this.#namespace.history.readPage(directory, from, rowsMax)
        : readRows(directoryOf(directory), first, rowsMax),
    );
  }

  async readlink(node: ViewNode): Promise<Uint8Array> {
    if (node instanceof LinkNode) return node.target;
    return unlessClosed(node, async () => {
      const target = node instanceof EntryNode ? node.entry.target : undefined;
      if (target === undefined) throw new HoldfastError(ErrorCode.usage, "not a symbolic link");
      return target;
    });
  }

  async xattrs(node: ViewNode): Promise<ReadonlyMap<string, Uint8Array>> {
    if (!(node instanceof EntryNode)) return new Map();
    const list = await unlessClosed(node, () => node.context.tree.xattrs(node.entry));
    return new Map(list.map(({ name, value }) => [name.toString("latin1"), value]));
  }

  async read(node: ViewNode, offset: bigint, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (node instanceof TextNode)
      return Buffer.from(node.bytes.subarray(Number(offset), Number(offset) + length));
    return unlessClosed(node, async () => {
      const { context, entry, size } = fileOf(node);
      if (offset >= BigInt(size)) return Buffer.alloc(0);
      const at = Number(offset);
      const bytes = await context.content.read(entry.content, size, at, length, signal);
      this.#readAhead(node as EntryNode, size, at, bytes.length);
      return bytes;
    });
  }

  contentTag(node: ViewNode): string {
    if (node instanceof TextNode) return textTag(node.bytes);
    const closed = closedReason(node);
    if (closed !== undefined) throw closed;
    const { entry, size } = fileOf(node);
    return contentTag(entry.content, size);
  }

  async readPieces(
    node: ViewNode,
    offset: bigint,
    length: number,
    signal?: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    if (node instanceof TextNode) return [await this.read(node, offset, length)];
    return unlessClosed(node, async () => {
      const { context, entry, size } = fileOf(node);
      if (offset >= BigInt(size)) return [];
      const at = Number(offset);
      const pieces = await context.content.readPieces(entry.content, size, at, length, signal);
      this.#readAhead(node as EntryNode, size, at, Math.min(length, size - at));
      return pieces;
    });
  }

  piecesNow(node: ViewNode, offset: bigint, length: number): readonly Uint8Array[] | undefined {
    if (!(node instanceof EntryNode) || node.entry.size === undefined) return undefined;
    const { content, size } = node.entry;
    if (closedReason(node) !== undefined) return undefined;
    if (offset >= BigInt(size)) return [];
    const at = Number(offset);
    let pieces: readonly Uint8Array[] | undefined;
    try {
      pieces = node.context.content.piecesNow(content, size, at, length);
    } catch {
      return undefined; // readPieces will find the same and say so
    }
    if (pieces !== undefined) this.#readAhead(node, size, at, Math.min(length, size - at));
    return pieces;
  }

  async extentAt(node: ViewNode, offset: bigint): Promise<Extent | undefined> {
    if (node instanceof TextNode) return extentOfText(node, offset);
    return unlessClosed(node, async () => {
      const { context, entry, size } = fileOf(node);
      if (offset >= BigInt(size)) return undefined;
      return mergedExtent(context.content.extents(entry.content, size, Number(offset)));
    });
  }

  async statistics(): Promise<{ readonly totalBytes: bigint; readonly nodes: bigint }> {
    const { bytes, nodes } = this.#namespace.snapshots.totals();
    return { totalBytes: bytes, nodes };
  }

  onNamesChanged(listener: Parameters<View["onNamesChanged"]>[0]): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onClosed(listener: ClosedListener): () => void {
    this.#closedListeners.add(listener);
    return () => this.#closedListeners.delete(listener);
  }

  async *#versions(path: HistoryPath, signal?: AbortSignal): AsyncGenerator<PathVersion, void, void> {
    yield* versionsOf(await this.#namespace.snapshots.of(path), path.names, signal);
  }

  #readAhead(node: EntryNode, size: number, offset: number, length: number): void {
    const end = offset + length;
    const { place } = node;
    if (offset === 0 && place !== undefined) node.context.contentAhead.reading(place.directory, place.row);
    if (offset === 0 && end >= size) return;
    const known = this.#progress.get(node) ?? { next: 0, ahead: 0 };
    this.#progress.set(node, known);
    const sequential = offset === known.next;
    known.next = end;
    if (!sequential) known.ahead = end;
    // Half a window early, so that a steady reader never waits.
    if (!sequential || end >= size || known.ahead - end > readAheadBytes / 2) return;
    const from = Math.max(known.ahead, end);
    known.ahead = end + readAheadBytes;
    const { context, entry } = node;
    context.content.readAhead(entry.content, size, from, known.ahead - from).catch(() => undefined);
  }

  /** Before anything else, so that nobody is answered from what was opened with keys that are gone. */
  #closeLocked(): void {
    const folders = this.#namespace.closeLocked();
    if (folders === undefined) return;
    for (const listener of this.#closedListeners) listener(closedReason);
    for (const folder of folders) this.#tell(folder);
  }

  #tell(directory: ViewNode, gone?: readonly Uint8Array[]): void {
    for (const listener of this.#listeners) listener(directory, gone);
  }

  #changed(): void {
    this.#refreshAgain = true;
    this.#refreshing ??= this.#refresh();
  }

  async #refresh(): Promise<void> {
    try {
      while (this.#refreshAgain) {
        this.#refreshAgain = false;
        for (const { folder, gone } of await this.#namespace.refresh()) this.#tell(folder, gone);
      }
    } finally {
      this.#refreshing = undefined;
    }
  }
}

type ClosedListener = Parameters<View["onClosed"]>[0];

/** Why a node is closed for good, if it is. */
function closedReason(node: ViewNode): HoldfastError | undefined {
  if (node instanceof EntryNode || node instanceof RootNode) return node.context.lock.closed;
  if (!(node instanceof HistoryFolder)) return undefined;
  return node.locks.find(({ closed }) => closed !== undefined)?.closed;
}

/** What `work` gives; refused when the node's vault is locked before it is done. @throws HoldfastError vault-locked */
async function unlessClosed<T>(node: ViewNode, work: () => Promise<T>): Promise<T> {
  const before = closedReason(node);
  if (before !== undefined) throw before;
  const result = await work();
  const after = closedReason(node);
  if (after !== undefined) throw after;
  return result;
}

async function readRows(directory: DirectoryNode, first: number, rowsMax: number): Promise<DirectoryPage> {
  const { context, page, attributes } = directory;
  const place = directory instanceof EntryNode ? directory.place : undefined;
  if (place !== undefined) context.contentAhead.entered(page, place.directory, place.row);
  const numberOf = context.inodes.within(attributes.inode);
  const rows: DirectoryRow[] = [];
  try {
    for await (const run of context.tree.leaves(page, first)) {
      if (run.from === 0) context.ahead.listed(run.page, run.first === 0 ? page : undefined);
      for (let row = run.from; row < run.page.rowCount; row++) {
        if (rows.length === rowsMax) return { rows, next: BigInt(first + rows.length) };
        const entry = run.page.draft(row);
        const node = context.nodeOf(entry, numberOf, { directory: page, row: first + rows.length });
        rows.push({ name: Buffer.from(entry.name), node });
      }
    }
  } catch (error) {
    if (rows.length === 0) throw error; // else what comes before the damage is shown, and who asks on hears of it
    return { rows, next: BigInt(first + rows.length) };
  }
  return { rows, next: undefined };
}

function directoryOf(node: ViewNode): DirectoryNode {
  if (node instanceof ClosedNode) throw node.reason;
  if (node instanceof RootNode || node instanceof EntryNode) return node;
  throw new HoldfastError(ErrorCode.usage, "not a directory");
}

type OpenFile = Pick<EntryNode, "context" | "entry"> & { readonly size: number };

function fileOf(node: ViewNode): OpenFile {
  if (node instanceof ClosedNode) throw node.reason;
  if (!(node instanceof EntryNode) || node.entry.size === undefined) {
    throw new HoldfastError(ErrorCode.usage, "not a file");
  }
  return { context: node.context, entry: node.entry, size: node.entry.size };
}
