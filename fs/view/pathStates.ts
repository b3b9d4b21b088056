// What a path is in each of many snapshots, found by ids and hashes alone: no content is read.
//
// All snapshots go down the path together, one name at a time. Snapshots whose directory is the same page are looked at once, so a
// path that changed 3 times in 1,000 snapshots costs its own changes and those of the folders above it. Memory: one row a snapshot.

import { HoldfastError } from "../../vault/errors.ts";
import { EntryKind, type XattrsOf } from "../../vault/tree/entry.ts";
import { isDamage } from "./damage.ts";
import type { Passage } from "./passage.ts";
import { cachePrefix } from "./recordOpener.ts";
import { nanoseconds, type SnapshotContext } from "./snapshotNodes.ts";
import type { TreeEntry } from "./treeReader.ts";

/** A snapshot among those of its item. */
export type DatedSnapshot = {
  readonly id: string;
  readonly timeMs: number;
  /** Its folder in drives. */
  readonly folder: string;
  readonly incomplete: boolean;
  /** What it is read with, or why it cannot be. */
  readonly opened: SnapshotContext | HoldfastError;
};

/** What is there. Memory of its own. */
export type Found = {
  readonly kind: EntryKind;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly hash: Buffer | undefined;
  /** The page of a directory. */
  readonly page: Buffer | undefined;
  /** Equal for equal content: kind, bytes, target, everything below. Owner, mode, times and attributes do not count. */
  readonly content: string;
  /** Of a directory. */
  readonly passage: Passage | undefined;
};

export type PathState = {
  readonly snapshot: DatedSnapshot;
  /** What is there, nothing, or why that cannot be told. */
  readonly found: Found | HoldfastError | undefined;
};

const lookupsAtOnce = 64;

/** An entry's attributes, whatever it names records by. */
type Listed = { readonly xattrs: XattrsOf<unknown> };

/** The root directories. @throws HoldfastError why the newest one cannot be opened, where none can */
export function rootStates(snapshots: readonly DatedSnapshot[]): PathState[] {
  const newest = snapshots.at(-1)?.opened;
  if (newest instanceof HoldfastError && snapshots.every(({ opened }) => opened instanceof HoldfastError)) {
    throw newest;
  }
  return snapshots.map((snapshot) => {
    const { opened } = snapshot;
    if (opened instanceof HoldfastError) return { snapshot, found: opened };
    const found: Found = {
      kind: EntryKind.directory,
      size: 0,
      mtimeNs: 0n,
      hash: opened.root,
      page: opened.root,
      content: `directory ${pageKey(opened, opened.root)}`,
      passage: undefined,
    };
    return { snapshot, found };
  });
}

/**
 * One name further down.
 * @throws HoldfastError what is no damage of a single page: gateway-unreachable, vault-locked, cancelled
 */
export async function descend(
  states: readonly PathState[],
  name: Uint8Array,
  signal?: AbortSignal,
): Promise<PathState[]> {
  const wanted = distinctPages(states);
  const results = new Map<string, Found | HoldfastError | undefined>();
  const keys = [...wanted.keys()];
  for (let at = 0; at < keys.length; at += lookupsAtOnce) {
    signal?.throwIfAborted();
    // In one turn, so that pages which are not in memory travel together.
    const looked = keys.slice(at, at + lookupsAtOnce).map(async (key) => {
      const { context, page } = wanted.get(key) as DirectoryAt;
      results.set(key, await lookUp(context, page, name, signal));
    });
    await Promise.all(looked);
  }
  return states.map(({ snapshot, found }) => {
    if (found === undefined || found instanceof HoldfastError) return { snapshot, found };
    if (found.page === undefined) return { snapshot, found: undefined };
    return { snapshot, found: results.get(pageKey(contextOf(snapshot), found.page)) };
  });
}

export type DirectoryAt = { readonly context: SnapshotContext; readonly page: Buffer };

/** The different directories among the states, by page. */
export function distinctPages(states: readonly PathState[]): Map<string, DirectoryAt> {
  const pages = new Map<string, DirectoryAt>();
  for (const { snapshot, found } of states) {
    if (found === undefined || found instanceof HoldfastError || found.page === undefined) continue;
    const context = contextOf(snapshot);
    const key = pageKey(context, found.page);
    if (!pages.has(key)) pages.set(key, { context, page: found.page });
  }
  return pages;
}

function contextOf({ opened }: DatedSnapshot): SnapshotContext {
  if (opened instanceof HoldfastError) throw opened;
  return opened;
}

/** Names a page among all vaults and groups. */
function pageKey({ tree }: SnapshotContext, page: Buffer): string {
  const { keys, group } = tree.opener;
  return cachePrefix(Buffer.from(keys.vaultId).toString("hex"), group) + page.toString("hex");
}

async function lookUp(
  context: SnapshotContext,
  page: Buffer,
  name: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Found | HoldfastError | undefined> {
  try {
    const entry = await context.tree.lookup(page, name, signal);
    return entry === undefined ? undefined : foundOf(context, entry);
  } catch (error) {
    if (isDamage(error)) return error;
    throw error;
  }
}

function foundOf(context: SnapshotContext, entry: TreeEntry): Found {
  const { kind, fileHash, target, child } = entry;
  const page = child === undefined ? undefined : Buffer.from(child.id);
  const hash = fileHash === undefined ? page : Buffer.from(fileHash);
  return {
    kind,
    size: child?.bytes ?? entry.size ?? target?.length ?? 0,
    mtimeNs: nanoseconds(entry.mtime),
    hash,
    page,
    content: contentOf(context, entry, page),
    passage: page && passageOf(entry),
  };
}

function contentOf(context: SnapshotContext, entry: TreeEntry, page: Buffer | undefined): string {
  if (page !== undefined) return `directory ${pageKey(context, page)}`;
  if (entry.kind === EntryKind.file) return `file ${entry.size} ${entry.fileHash?.toString("hex") ?? ""}`;
  if (entry.kind === EntryKind.symlink) return `symlink ${entry.target?.toString("latin1")}`;
  return `${entry.kind} ${entry.major ?? ""} ${entry.minor ?? ""}`;
}

/** Who may pass through an entry that is a directory. */
export function passageOf({
  uid,
  gid,
  mode,
  xattrs,
}: Pick<TreeEntry, "uid" | "gid" | "mode"> & Listed): Passage {
  return { uid, gid, mode, listed: mayHaveAccessList(xattrs) };
}

/** Attributes in a record of their own are not read for this: they count as one. */
function mayHaveAccessList(xattrs: Listed["xattrs"]): boolean {
  if (xattrs.form !== "inline") return xattrs.form === "record";
  return xattrs.list.some(({ name }) => name.toString("latin1") === "system.posix_acl_access");
}
