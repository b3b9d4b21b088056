// `.history` in an item's folder: /<account>/<device>/<item>/.history/<path>/<time>.
//
// Every path that any snapshot has is a folder here. In it are the versions of that path, named by the time of the first snapshot that
// has them, and what was below it in any snapshot. A child whose name looks like a time gets a % in front (and one more if it has some),
// so that times and names never meet. Versions are files, links or directories as their snapshot has them.
//
// Invariants: nothing is held for a path but in a small cache that forgets the oldest; a folder is closed for good with the keys of any vault that
// its item's snapshots are in; its owner and mode let nobody pass whom one of its versions would stop (passage.ts).

import { HoldfastError } from "../../vault/errors.ts";
import { isTimeFolder } from "./folderNames.ts";
import { ClosedNode } from "./folderNodes.ts";
import { type Run, runsOf } from "./history.ts";
import { InodeNumbers } from "./inodeNumbers.ts";
import type { ItemName, ItemSnapshots } from "./itemSnapshots.ts";
import { type NamesPage, namesPages, unionNames } from "./nameUnion.ts";
import { keepNewest } from "./newest.ts";
import { type CommonPassage, narrowed, passageAttributes } from "./passage.ts";
import { descend, distinctPages, type PathState, rootStates } from "./pathStates.ts";
import { folderAttributes, RootNode, type VaultLock } from "./snapshotNodes.ts";
import type { Attributes, DirectoryPage, DirectoryRow, ViewNode } from "./view.ts";

/** A path of an item, in all of its snapshots. */
export class HistoryFolder implements ViewNode {
  readonly immutable = false;
  readonly item: ItemName;
  readonly names: readonly Buffer[];
  readonly locks: readonly VaultLock[];
  readonly #inode: bigint;
  readonly #passage: CommonPassage | undefined;
  readonly #stamp: () => bigint;

  constructor(
    of: { readonly item: ItemName; readonly names: readonly Buffer[]; readonly locks: readonly VaultLock[] },
    inode: bigint,
    passage: CommonPassage | undefined,
    stamp: () => bigint,
  ) {
    this.item = of.item;
    this.names = of.names;
    this.locks = of.locks;
    this.#inode = inode;
    this.#passage = passage;
    this.#stamp = stamp;
  }

  // The kernel keeps the rows of a folder as long as its mtime stays.
  get attributes(): Attributes {
    return { ...folderAttributes(this.#inode, this.#stamp()), ...passageAttributes(this.#passage) };
  }
}

/** What is known of one path. */
type OpenPath = {
  readonly states: readonly PathState[];
  readonly versions: readonly Run[];
  pages?: Promise<NamesPage[]>;
  /** Names that pages of the listing ended with, by what comes next. */
  readonly ends: Map<number, Buffer>;
};

const pathsKept = 64;

export class HistoryFolders {
  readonly #snapshots: ItemSnapshots;
  readonly #inodes = new InodeNumbers("history");
  readonly #paths = new Map<string, Promise<OpenPath>>();

  constructor(snapshots: ItemSnapshots) {
    this.#snapshots = snapshots;
  }

  /** The `.history` of an item. */
  async root(item: ItemName): Promise<HistoryFolder> {
    const opened = (await this.#snapshots.of(item)).map((snapshot) => snapshot.opened);
    const locks = new Set(opened.flatMap((one) => (one instanceof HoldfastError ? [] : [one.lock])));
    const inode = this.#inodes.within(0n)(Buffer.from(JSON.stringify(item)));
    return this.#folder({ item, names: [], locks: [...locks] }, inode, undefined);
  }

  /** A version or a child. @throws HoldfastError vault-locked, gateway-unreachable */
  async lookup(folder: HistoryFolder, name: Uint8Array): Promise<ViewNode | undefined> {
    const text = Buffer.from(name).toString("latin1");
    const open = await this.#path(folder.item, folder.names);
    if (isTimeFolder(text)) {
      const run = open.versions.find(({ first }) => first.snapshot.folder === text);
      return run === undefined || run.first.found === undefined ? undefined : this.#version(folder, run);
    }
    const child = looksLikeTime(text) ? Buffer.from(name.subarray(1)) : Buffer.from(name);
    const states = await this.#below(folder, child, open);
    let passage: CommonPassage | undefined;
    let there = false;
    for (const { found } of states) {
      if (found === undefined || found instanceof HoldfastError) continue;
      there = true;
      if (found.passage !== undefined) passage = narrowed(passage, found.passage);
    }
    return there ? this.#child(folder, child, passage) : undefined;
  }

  /** Versions by time, then names. */
  async readPage(folder: HistoryFolder, from: bigint, rowsMax: number): Promise<DirectoryPage> {
    const first = Number(from);
    const open = await this.#path(folder.item, folder.names);
    const shown = open.versions.filter(({ first: { found } }) => found !== undefined).toReversed();
    const rows: DirectoryRow[] = await Promise.all(
      shown.slice(first, first + rowsMax).map(async (run) => {
        return { name: Buffer.from(run.first.snapshot.folder), node: await this.#version(folder, run) };
      }),
    );
    const names = Math.max(0, first - shown.length);
    const after = open.ends.get(names);
    let toSkip = after === undefined ? names : 0;
    const pages = await this.#pages(open);
    let last: Buffer | undefined;
    for await (const { name, passage } of unionNames(pages, after)) {
      if (toSkip-- > 0) continue;
      if (rows.length >= rowsMax) {
        const next = first + rows.length;
        if (last !== undefined) open.ends.set(next - shown.length, last);
        return { rows, next: BigInt(next) };
      }
      rows.push({ name: historyName(name), node: this.#child(folder, name, passage) });
      last = name;
    }
    const complete = first + rows.length >= shown.length;
    return { rows, next: complete ? undefined : BigInt(first + rows.length) };
  }

  /** Forgets what was worked out: snapshots came or went, or a vault was locked. */
  forget(): void {
    this.#paths.clear();
  }

  #folder(
    of: ConstructorParameters<typeof HistoryFolder>[0],
    inode: bigint,
    passage: CommonPassage | undefined,
  ): HistoryFolder {
    return new HistoryFolder(of, inode, passage, () => this.#snapshots.stampOf(of.item));
  }

  #child(folder: HistoryFolder, name: Buffer, passage: CommonPassage | undefined): HistoryFolder {
    const inode = this.#inodes.within(folder.attributes.inode)(name);
    const { item, locks } = folder;
    return this.#folder({ item, locks, names: [...folder.names, name] }, inode, passage);
  }

  async #version(folder: HistoryFolder, { first: { snapshot, found } }: Run): Promise<ViewNode> {
    const { opened, id, timeMs } = snapshot;
    // No name has a NUL: these numbers are no child's.
    const inode = this.#inodes.within(folder.attributes.inode)(Buffer.from(`\0${id}`));
    const reason = opened instanceof HoldfastError ? opened : found;
    if (opened instanceof HoldfastError || reason instanceof HoldfastError) {
      return new ClosedNode(inode, BigInt(timeMs) * 1_000_000n, reason as HoldfastError);
    }
    if (folder.names.length === 0) return new RootNode(opened, inode);
    const entry = await opened.tree.walk(opened.root, folder.names);
    return opened.nodeOf(entry, () => inode);
  }

  async #pages(open: OpenPath): Promise<NamesPage[]> {
    open.pages ??= namesPages(distinctPages(open.states).values());
    try {
      return await open.pages;
    } catch (error) {
      delete open.pages;
      throw error;
    }
  }

  async #below(folder: HistoryFolder, name: Buffer, open: OpenPath): Promise<readonly PathState[]> {
    const known = this.#paths.get(keyOf(folder.item, [...folder.names, name]));
    if (known !== undefined) return (await known).states;
    return descend(open.states, name);
  }

  #path(item: ItemName, names: readonly Buffer[]): Promise<OpenPath> {
    const key = keyOf(item, names);
    const known = this.#paths.get(key);
    const path = known ?? this.#open(item, names);
    keepNewest(this.#paths, key, path, pathsKept);
    if (known === undefined) path.catch(() => this.#paths.get(key) === path && this.#paths.delete(key));
    return path;
  }

  async #open(item: ItemName, names: readonly Buffer[]): Promise<OpenPath> {
    const last = names.at(-1);
    const states =
      last === undefined
        ? rootStates(await this.#snapshots.of(item))
        : await descend((await this.#path(item, names.slice(0, -1))).states, last);
    return { states, versions: runsOf(states), ends: new Map() };
  }
}

/** A time, or one with % in front. */
function looksLikeTime(name: string): boolean {
  return isTimeFolder(name.replace(/^%+/, ""));
}

/** What a name is called in a history folder. */
export function historyName(name: Buffer): Buffer {
  return looksLikeTime(name.toString("latin1")) ? Buffer.concat([Buffer.from("%"), name]) : name;
}

function keyOf({ account, device, item }: ItemName, names: readonly Buffer[]): string {
  const path = names.map((name) => name.toString("latin1")).join("/");
  return `${JSON.stringify([account, device, item])}/${path}`;
}
