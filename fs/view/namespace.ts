// The folders above snapshots: /<account>/<device>/<item>/<time>, and `latest` in each item.
//
// Invariants: a folder's rows are sorted by name and worked out once until something changed; its inode number depends on its path
// alone; a snapshot that cannot be opened (its vault is locked, its object damaged) still has a folder, named by the time it
// was received, and the reason answers every look inside.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { openSnapshot, type SnapshotBody } from "../../vault/snapshot.ts";
import { folderName, timeFolders } from "./folderNames.ts";
import { InodeNumbers } from "./inodeNumbers.ts";
import type { OpenPool } from "./openPool.ts";
import type { CatalogSnapshot, Keyring, RecordSource, SnapshotCatalog } from "./ports.ts";
import { type PlaintextCaches, RecordOpener } from "./recordOpener.ts";
import { folderAttributes, RootNode, SnapshotContext } from "./snapshotNodes.ts";
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

export type NamespaceParts = {
  readonly source: RecordSource;
  readonly catalog: SnapshotCatalog;
  readonly keyring: Keyring;
  readonly caches: PlaintextCaches;
  /** Threads that open large records; without them the calling thread does. Whoever made it closes it. */
  readonly pool?: OpenPool | undefined;
};

type OpenedSnapshot = { readonly context: SnapshotContext; readonly body: SnapshotBody };

/** A snapshot with its time, ready to be named. */
type Shown = {
  readonly row: CatalogSnapshot;
  readonly timeMs: number;
  readonly opened: OpenedSnapshot | HoldfastError;
};

export class Namespace {
  readonly root: FolderNode;
  readonly #parts: NamespaceParts;
  readonly #inodes = new InodeNumbers("namespace");
  readonly #listings = new Map<
    string,
    { readonly folder: FolderNode; readonly rows: Promise<DirectoryRow[]> }
  >();
  readonly #opened = new Map<string, OpenedSnapshot>();

  constructor(parts: NamespaceParts) {
    this.#parts = parts;
    this.root = this.#folder("", () => this.#accounts());
  }

  /** The rows of a folder, sorted by name. */
  async rows(folder: FolderNode): Promise<DirectoryRow[]> {
    const known = this.#listings.get(folder.path);
    if (known !== undefined) return known.rows;
    const rows = folder.load(folder);
    const listing = { folder, rows };
    this.#listings.set(folder.path, listing);
    try {
      return await rows;
    } catch (error) {
      if (this.#listings.get(folder.path) === listing) this.#listings.delete(folder.path);
      throw error;
    }
  }

  /** Bytes and files of the snapshots that were looked at. */
  totals(): { readonly bytes: bigint; readonly nodes: bigint } {
    let bytes = 0n;
    let nodes = 0n;
    for (const { body } of this.#opened.values()) {
      bytes += BigInt(body.bytes);
      nodes += BigInt(body.files) + BigInt(body.dirs) + BigInt(body.others);
    }
    return { bytes, nodes };
  }

  /** Forgets all listings and returns the folders whose rows are no longer the same. */
  async refresh(): Promise<FolderNode[]> {
    const before = [...this.#listings.values()];
    this.#listings.clear();
    for (const id of this.#opened.keys()) this.#forgetIfLocked(id);
    const changed: FolderNode[] = [];
    for (const { folder, rows } of before) {
      const [old, now] = await Promise.allSettled([rows, this.rows(folder)]);
      if (old.status !== "fulfilled" || now.status !== "fulfilled" || !sameRows(old.value, now.value)) {
        changed.push(folder);
      }
    }
    return changed;
  }

  #forgetIfLocked(id: string): void {
    const context = this.#opened.get(id)?.context;
    if (context === undefined) return;
    const keys = context.tree.opener.keys;
    if (this.#parts.keyring.keysOf(Buffer.from(keys.vaultId).toString("hex")) !== keys)
      this.#opened.delete(id);
  }

  #folder(path: string, load: (folder: FolderNode) => Promise<DirectoryRow[]>): FolderNode {
    return new FolderNode(path, this.#number(path), load);
  }

  #number(path: string): bigint {
    return this.#inodes.within(0n)(Buffer.from(path));
  }

  #folders(
    parent: string,
    names: Iterable<string>,
    load: (name: string, folder: FolderNode) => Promise<DirectoryRow[]>,
  ): DirectoryRow[] {
    const rows = [...new Set(names)].map((name) => {
      const shown = folderName(name);
      return {
        name: Buffer.from(shown),
        node: this.#folder(`${parent}/${shown}`, (folder) => load(name, folder)),
      };
    });
    return sorted(rows);
  }

  async #accounts(): Promise<DirectoryRow[]> {
    const accounts = await this.#parts.catalog.accounts();
    return this.#folders("", accounts, (account, folder) => this.#devices(account, folder));
  }

  async #devices(account: string, parent: FolderNode): Promise<DirectoryRow[]> {
    const devices = await this.#parts.catalog.devices(account);
    const names = devices.map(({ device }) => device);
    return this.#folders(parent.path, names, async (device, folder) => {
      const row = (await this.#parts.catalog.devices(account)).find((other) => other.device === device);
      return this.#folders(folder.path, row?.items ?? [], (item, itemFolder) =>
        this.#snapshots(account, device, item, itemFolder),
      );
    });
  }

  async #snapshots(
    account: string,
    device: string,
    item: string,
    folder: FolderNode,
  ): Promise<DirectoryRow[]> {
    const listed = await this.#parts.catalog.snapshots(account, device, item);
    const shown: Shown[] = [];
    // In runs, so that a thousand snapshots behind a network are not a thousand round trips one after the other.
    for (let at = 0; at < listed.length; at += opensAtOnce) {
      const some = listed.slice(at, at + opensAtOnce);
      shown.push(...(await Promise.all(some.map((row) => this.#shown(row)))));
    }
    shown.sort((a, b) => a.timeMs - b.timeMs || a.row.sequence - b.row.sequence);
    const names = timeFolders(shown.map(({ timeMs }) => timeMs));
    const rows: DirectoryRow[] = shown.map(({ timeMs, row, opened }, index) => {
      const name = names[index] as string;
      const inode = this.#number(`${folder.path}/${row.id}`);
      const node =
        opened instanceof HoldfastError
          ? new ClosedNode(inode, BigInt(timeMs) * 1_000_000n, opened)
          : new RootNode(opened.context, inode);
      return { name: Buffer.from(name), node };
    });
    const newest = shown.findLastIndex(({ row }) => !row.incomplete);
    if (newest >= 0) {
      const target = names[newest] as string;
      const timeNs = BigInt((shown[newest] as Shown).timeMs) * 1_000_000n;
      const node = new LinkNode(target, this.#number(`${folder.path}/latest -> ${target}`), timeNs);
      rows.push({ name: Buffer.from("latest"), node });
    }
    return sorted(rows);
  }

  async #shown(row: CatalogSnapshot): Promise<Shown> {
    try {
      const opened = await this.#open(row);
      return { row, timeMs: Date.parse(opened.body.time), opened };
    } catch (error) {
      if (!isHoldfastError(error) || error.code === ErrorCode.gatewayUnreachable) throw error;
      return { row, timeMs: Date.parse(row.received), opened: error };
    }
  }

  async #open(row: CatalogSnapshot): Promise<OpenedSnapshot> {
    const known = this.#opened.get(row.id);
    if (known !== undefined) return known;
    const keys = this.#parts.keyring.keysOf(row.vault);
    if (keys === undefined) {
      throw new HoldfastError(ErrorCode.vaultLocked, `the vault of account ${row.account} is locked`, {
        next: `holdfast vault unlock ${row.account}`,
      });
    }
    const { id, header, body } = openSnapshot(keys, await this.#parts.catalog.object(row));
    if (id.toString("hex") !== row.id || header.group !== row.group) {
      throw new HoldfastError(ErrorCode.idMismatch, `snapshot ${row.id} is not the one that was asked for`);
    }
    const { source, caches, pool } = this.#parts;
    const opener = new RecordOpener({ source, keys, group: header.group, caches, pool });
    const timeNs = BigInt(Date.parse(body.time)) * 1_000_000n;
    const opened = { context: new SnapshotContext(opener, { id: row.id, root: header.root, timeNs }), body };
    this.#opened.set(row.id, opened);
    return opened;
  }
}

const opensAtOnce = 16;

function sorted(rows: DirectoryRow[]): DirectoryRow[] {
  return rows.sort((a, b) => Buffer.compare(a.name, b.name));
}

function sameRows(old: readonly DirectoryRow[], now: readonly DirectoryRow[]): boolean {
  if (old.length !== now.length) return false;
  return old.every(({ name, node }, index) => {
    const other = now[index] as DirectoryRow;
    return (
      Buffer.compare(name, other.name) === 0 &&
      node.attributes.inode === other.node.attributes.inode &&
      node instanceof ClosedNode === other.node instanceof ClosedNode
    );
  });
}
