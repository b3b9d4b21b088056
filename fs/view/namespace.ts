// The folders above snapshots: /<account>/<device>/<item>/<time>, and `latest` in each item.
//
// An item's folder also answers to names that it does not list, so that whoever goes through a drive meets every snapshot once:
// `.history` (historyFolders.ts), `.snapshots` with a folder @GMT-YYYY.MM.DD-HH.MM.SS for each complete snapshot, which is what Samba's
// shadow_copy2 lists, and those folders by themselves.
//
// Invariants: a folder's rows are sorted by name and worked out once until something changed; its inode number depends on its path
// alone; a snapshot that cannot be opened (its vault is locked, its object damaged) still has a folder, named by the time it
// was received, and the reason answers every look inside; no two folders of one snapshot have one number, since the kernel would take
// them for one that was moved.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { folderName, gmtFolder, isGmtFolder, isTimeFolder } from "./folderNames.ts";
import { ClosedNode, FolderNode, LinkNode, TextNode } from "./folderNodes.ts";
import { HistoryFolders } from "./historyFolders.ts";
import { InodeNumbers } from "./inodeNumbers.ts";
import { type ItemName, ItemSnapshots, type SnapshotParts } from "./itemSnapshots.ts";
import { lockedText } from "./lockedText.ts";
import type { DatedSnapshot } from "./pathStates.ts";
import { RootNode } from "./snapshotNodes.ts";
import type { DirectoryRow, ViewNode } from "./view.ts";

const historyName = ".history";
const shadowName = ".snapshots";
const lockedName = "LOCKED.txt";

/** The folder of an item. */
class ItemFolder extends FolderNode {
  readonly item: ItemName;

  constructor(item: ItemName, ...folder: ConstructorParameters<typeof FolderNode>) {
    super(...folder);
    this.item = item;
  }
}

export type ChangedFolder = {
  readonly folder: FolderNode;
  readonly gone: readonly Uint8Array[] | undefined;
};

export class Namespace {
  readonly root: FolderNode;
  readonly snapshots: ItemSnapshots;
  readonly history: HistoryFolders;
  readonly #catalog: SnapshotParts["catalog"];
  readonly #inodes = new InodeNumbers("namespace");
  readonly #listings = new Map<
    string,
    { readonly folder: FolderNode; readonly rows: Promise<DirectoryRow[]> }
  >();

  constructor(parts: SnapshotParts) {
    this.#catalog = parts.catalog;
    this.snapshots = new ItemSnapshots(parts);
    this.history = new HistoryFolders(this.snapshots);
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

  /** What a folder has by this name, listed or not. */
  async lookup(folder: FolderNode, name: Uint8Array): Promise<ViewNode | undefined> {
    // Also for what is not listed: a folder whose rows are known is told of when they change.
    const rows = await this.rows(folder);
    const row = rows.find((row) => Buffer.compare(row.name, name) === 0);
    if (row !== undefined || !(folder instanceof ItemFolder)) return row?.node;
    const hidden = Buffer.from(name).toString("latin1");
    if (hidden === historyName) return this.history.root(folder.item);
    const shadow = `${folder.path}/${shadowName}`;
    if (hidden === shadowName) return this.#folder(shadow, () => this.#shadows(folder.item, shadow));
    const shadows = isGmtFolder(hidden) ? await this.#shadows(folder.item, `${folder.path}/@`) : [];
    const found = shadows.find((row) => row.name.toString("latin1") === hidden)?.node;
    // Snapshots of a locked vault have other times than they will have: what is sought may well be one.
    const locked = found === undefined && (isGmtFolder(hidden) || isTimeFolder(hidden));
    const closed = locked ? (await this.snapshots.of(folder.item)).find(isLocked)?.opened : undefined;
    if (closed instanceof HoldfastError) throw closed;
    return found;
  }

  /** Forgets all listings and returns the folders whose rows are no longer the same, with the names that are gone. */
  async refresh(): Promise<ChangedFolder[]> {
    this.history.forget();
    await this.snapshots.refresh();
    const before = [...this.#listings.values()];
    this.#listings.clear();
    const changed: ChangedFolder[] = [];
    for (const { folder, rows } of before) {
      const [old, now] = await Promise.allSettled([rows, this.rows(folder)]);
      if (old.status !== "fulfilled" || now.status !== "fulfilled") changed.push({ folder, gone: undefined });
      else if (!sameRows(old.value, now.value))
        changed.push({ folder, gone: namesGone(old.value, now.value) });
    }
    return changed;
  }

  /**
   * Closes what was opened with keys that are gone and returns the folders of the items that it was in; undefined where there was
   * nothing. `refresh` then tells what changed.
   */
  closeLocked(): FolderNode[] | undefined {
    const items = this.snapshots.closeLocked();
    if (items === undefined) return undefined;
    this.history.forget();
    const paths = new Set(items.map(itemPath));
    const folders = Array.from(this.#listings.values(), ({ folder }) => folder);
    return folders.filter((folder) => folder instanceof ItemFolder && paths.has(folder.path));
  }

  #folder(path: string, load: (folder: FolderNode) => Promise<DirectoryRow[]>): FolderNode {
    return new FolderNode(path, this.#number(path), load);
  }

  #number(path: string): bigint {
    return this.#inodes.within(0n)(Buffer.from(path));
  }

  #folders(
    parent: FolderNode,
    names: Iterable<string>,
    folderOf: (name: string, path: string) => FolderNode,
  ): DirectoryRow[] {
    const rows = [...new Set(names)].map((name) => {
      const shown = folderName(name);
      return { name: Buffer.from(shown), node: folderOf(name, `${parent.path}/${shown}`) };
    });
    return sorted(rows);
  }

  async #accounts(): Promise<DirectoryRow[]> {
    const accounts = await this.#catalog.accounts();
    return this.#folders(this.root, accounts, (account, path) =>
      this.#folder(path, (folder) => this.#devices(account, folder)),
    );
  }

  async #devices(account: string, parent: FolderNode): Promise<DirectoryRow[]> {
    const devices = await this.#catalog.devices(account);
    const names = devices.map(({ device }) => device);
    return this.#folders(parent, names, (device, path) =>
      this.#folder(path, (folder) => this.#items(account, device, folder)),
    );
  }

  async #items(account: string, device: string, parent: FolderNode): Promise<DirectoryRow[]> {
    const row = (await this.#catalog.devices(account)).find((other) => other.device === device);
    return this.#folders(parent, row?.items ?? [], (item, path) => {
      const name = { account, device, item };
      return new ItemFolder(name, path, this.#number(path), () => this.#times(name, path));
    });
  }

  async #times(item: ItemName, path: string): Promise<DirectoryRow[]> {
    const snapshots = await this.snapshots.of(item);
    const rows = snapshots.map((snapshot) => {
      return { name: Buffer.from(snapshot.folder), node: this.#snapshotNode(snapshot, path) };
    });
    const newest = snapshots.findLast(({ incomplete }) => !incomplete);
    if (newest !== undefined) {
      const number = this.#number(`${path}/latest -> ${newest.folder}`);
      rows.push({
        name: Buffer.from("latest"),
        node: new LinkNode(newest.folder, number, nanosecondsOf(newest)),
      });
    }
    const locked = snapshots.findLast(isLocked);
    if (locked !== undefined) {
      const text = lockedText(item.account, (locked.opened as HoldfastError).next);
      const number = this.#number(`${path}/${lockedName}\0${text}`);
      rows.push({ name: Buffer.from(lockedName), node: new TextNode(text, number, nanosecondsOf(locked)) });
    }
    return sorted(rows);
  }

  /** The complete snapshots by their second: of those in one second the last. */
  async #shadows(item: ItemName, path: string): Promise<{ name: Buffer; node: ViewNode }[]> {
    const byName = new Map<string, DatedSnapshot>();
    for (const snapshot of await this.snapshots.of(item)) {
      if (!snapshot.incomplete) byName.set(gmtFolder(snapshot.timeMs), snapshot);
    }
    const rows = Array.from(byName, ([name, snapshot]) => {
      return { name: Buffer.from(name), node: this.#snapshotNode(snapshot, path) };
    });
    return rows.sort((a, b) => Buffer.compare(a.name, b.name));
  }

  #snapshotNode(snapshot: DatedSnapshot, path: string): ViewNode {
    const number = this.#number(`${path}/${snapshot.id}`);
    const { opened } = snapshot;
    if (opened instanceof HoldfastError) return new ClosedNode(number, nanosecondsOf(snapshot), opened);
    return new RootNode(opened, number);
  }
}

function nanosecondsOf({ timeMs }: DatedSnapshot): bigint {
  return BigInt(timeMs) * 1_000_000n;
}

function isLocked({ opened }: DatedSnapshot): boolean {
  return isHoldfastError(opened, ErrorCode.vaultLocked);
}

function sorted(rows: DirectoryRow[]): DirectoryRow[] {
  return rows.sort((a, b) => Buffer.compare(a.name, b.name));
}

function itemPath({ account, device, item }: ItemName): string {
  return [account, device, item].map((name) => `/${folderName(name)}`).join("");
}

function sameRows(old: readonly DirectoryRow[], now: readonly DirectoryRow[]): boolean {
  return old.length === now.length && namesGone(old, now).length === 0;
}

/** Names of `old` that are not in `now`, or not the same there. */
function namesGone(old: readonly DirectoryRow[], now: readonly DirectoryRow[]): Uint8Array[] {
  const known = new Map(now.map(({ name, node }) => [Buffer.from(name).toString("latin1"), node]));
  const gone = old.filter(({ name, node }) => {
    const other = known.get(Buffer.from(name).toString("latin1"));
    if (other === undefined || node.attributes.inode !== other.attributes.inode) return true;
    return node instanceof ClosedNode !== other instanceof ClosedNode;
  });
  return gone.map(({ name }) => name);
}
