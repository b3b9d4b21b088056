// The View over vaults: folders of the namespace above, trees of snapshots below.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PlacedExtent } from "./contentReader.ts";
import { contentTag } from "./contentTag.ts";
import { ClosedNode, FolderNode, LinkNode, Namespace, type NamespaceParts } from "./namespace.ts";
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
  readonly #namespace: Namespace;
  readonly #listeners = new Set<(directory: ViewNode) => void>();
  readonly #progress = new WeakMap<EntryNode, Progress>();
  readonly #stops: readonly (() => void)[];
  #refreshing: Promise<void> | undefined;
  #refreshAgain = false;

  constructor(parts: NamespaceParts) {
    this.#namespace = new Namespace(parts);
    this.root = this.#namespace.root;
    this.#stops = [
      parts.catalog.onChanged(() => this.#changed()),
      parts.keyring.onChanged(() => this.#changed()),
    ];
  }

  /** Stops listening to catalog and keyring. */
  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  async lookup(directory: ViewNode, name: Uint8Array): Promise<ViewNode | undefined> {
    if (directory instanceof FolderNode) {
      const rows = await this.#namespace.rows(directory);
      return rows.find((row) => Buffer.compare(row.name, name) === 0)?.node;
    }
    const { context, page, attributes } = directoryOf(directory);
    const entry = await context.tree.lookup(page, name);
    return entry === undefined ? undefined : context.nodeOf(entry, context.inodes.within(attributes.inode));
  }

  async readPage(directory: ViewNode, from: bigint, rowsMax: number): Promise<DirectoryPage> {
    const first = Number(from);
    if (directory instanceof FolderNode) {
      const all = await this.#namespace.rows(directory);
      const rows = all.slice(first, first + rowsMax);
      return { rows, next: first + rows.length < all.length ? BigInt(first + rows.length) : undefined };
    }
    const { context, page, attributes } = directoryOf(directory);
    const numberOf = context.inodes.within(attributes.inode);
    const rows: DirectoryRow[] = [];
    for await (const run of context.tree.leaves(page, first)) {
      if (run.from === 0) context.ahead.listed(run.page, run.first === 0 ? page : undefined);
      for (let row = run.from; row < run.page.rowCount; row++) {
        if (rows.length === rowsMax) return { rows, next: BigInt(first + rows.length) };
        const entry = run.page.draft(row);
        rows.push({ name: Buffer.from(entry.name), node: context.nodeOf(entry, numberOf) });
      }
    }
    return { rows, next: undefined };
  }

  async readlink(node: ViewNode): Promise<Uint8Array> {
    if (node instanceof LinkNode) return node.target;
    const target = node instanceof EntryNode ? node.entry.target : undefined;
    if (target === undefined) throw new HoldfastError(ErrorCode.usage, "not a symbolic link");
    return target;
  }

  async xattrs(node: ViewNode): Promise<ReadonlyMap<string, Uint8Array>> {
    if (!(node instanceof EntryNode)) return new Map();
    const list = await node.context.tree.xattrs(node.entry);
    return new Map(list.map(({ name, value }) => [name.toString("latin1"), value]));
  }

  async read(node: ViewNode, offset: bigint, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { context, entry, size } = fileOf(node);
    if (offset >= BigInt(size)) return Buffer.alloc(0);
    const at = Number(offset);
    const bytes = await context.content.read(entry.content, size, at, length, signal);
    this.#readAhead(node as EntryNode, size, at, bytes.length);
    return bytes;
  }

  contentTag(node: ViewNode): string {
    const { entry, size } = fileOf(node);
    return contentTag(entry.content, size);
  }

  async extentAt(node: ViewNode, offset: bigint): Promise<Extent | undefined> {
    const { context, entry, size } = fileOf(node);
    if (offset >= BigInt(size)) return undefined;
    // Neighbours of one kind are one extent to the caller, or a copy would take a step per chunk.
    let merged: { start: number; end: number; hole: boolean } | undefined;
    let steps = 0;
    for await (const extent of context.content.extents(entry.content, size, Number(offset))) {
      if (merged !== undefined && (merged.hole !== extent.hole || steps === mergedExtentsMax)) break;
      merged = grown(merged, extent);
      steps++;
    }
    if (merged === undefined) return undefined;
    return { offset: BigInt(merged.start), length: BigInt(merged.end - merged.start), hole: merged.hole };
  }

  async statistics(): Promise<{ readonly totalBytes: bigint; readonly nodes: bigint }> {
    const { bytes, nodes } = this.#namespace.totals();
    return { totalBytes: bytes, nodes };
  }

  onNamesChanged(listener: (directory: ViewNode) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #readAhead(node: EntryNode, size: number, offset: number, length: number): void {
    const end = offset + length;
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

  #changed(): void {
    this.#refreshAgain = true;
    this.#refreshing ??= this.#refresh();
  }

  async #refresh(): Promise<void> {
    try {
      while (this.#refreshAgain) {
        this.#refreshAgain = false;
        for (const folder of await this.#namespace.refresh()) {
          for (const listener of this.#listeners) listener(folder);
        }
      }
    } finally {
      this.#refreshing = undefined;
    }
  }
}

const mergedExtentsMax = 1024;

function grown(
  merged: { start: number; end: number; hole: boolean } | undefined,
  extent: PlacedExtent,
): { start: number; end: number; hole: boolean } {
  const start = merged?.start ?? extent.start;
  return { start, end: extent.start + extent.length, hole: extent.hole };
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
