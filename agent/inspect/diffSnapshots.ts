// `agent diff`: what differs between two snapshots, by the hashes and metadata in their trees. No content is read, and
// subtrees with the same id are passed over.

import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { compareBytes, equalBytes } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { Timestamp } from "../../vault/tree/entry.ts";
import { type EntryInfo, entryInfo } from "./entryInfo.ts";
import { wholePath } from "./listTree.ts";
import { entryAt, type SnapshotTree } from "./snapshotTree.ts";
import { joined } from "./walkTree.ts";

/** What may differ of an entry that both have. */
export type Aspect = "kind" | "content" | "target" | "mode" | "owner" | "mtime" | "xattrs" | "device";

export type Difference = {
  readonly change: "added" | "removed" | "changed";
  readonly path: string;
  /** Of "changed" only. */
  readonly aspects: readonly Aspect[];
  readonly before: EntryInfo | undefined;
  readonly after: EntryInfo | undefined;
};

type Rows = AsyncGenerator<TreeEntry, void, void>;
type Side = { readonly rows: Rows | undefined; entry: TreeEntry | undefined };
type Level = { readonly path: Buffer; readonly a: Side; readonly b: Side };

/** Differences in order of path; everything below an added or removed directory is listed too. */
export async function* diffSnapshots(
  a: SnapshotTree,
  b: SnapshotTree,
  path: readonly Uint8Array[] = [],
  signal?: AbortSignal,
): AsyncGenerator<Difference, void, void> {
  const start = wholePath(path);
  const [left, right] = await Promise.all([entryIfThere(a, path, signal), entryIfThere(b, path, signal)]);
  if (left === undefined && right === undefined) {
    throw new HoldfastError(ErrorCode.notFound, `${start.toString()} is in neither snapshot`);
  }
  if (path.length > 0) {
    const difference = compare(left?.entry, right?.entry, start);
    if (difference !== undefined) yield difference;
  }
  // Ids of different deduplication groups never agree: such trees are compared row by row.
  const levels: Level[] = [];
  const enter = async (at: Buffer, one: Uint8Array | undefined, other: Uint8Array | undefined) => {
    if (one === undefined && other === undefined) return;
    if (one !== undefined && other !== undefined && equalBytes(one, other)) return;
    if (levels.length > limits.directoryDepthMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, "directories nested too deeply");
    }
    const sides = [sideOf(a, one, signal), sideOf(b, other, signal)] as const;
    await Promise.all(sides.map(advance));
    levels.push({ path: at, a: sides[0], b: sides[1] });
  };
  await enter(start, left?.directory, right?.directory);
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    signal?.throwIfAborted();
    const order = orderOf(level.a.entry, level.b.entry);
    if (order === undefined) {
      levels.pop();
      continue;
    }
    const before = order <= 0 ? level.a.entry : undefined;
    const after = order >= 0 ? level.b.entry : undefined;
    const here = joined(level.path, (before ?? (after as TreeEntry)).name);
    const difference = compare(before, after, here);
    if (difference !== undefined) yield difference;
    const children = [before?.child?.id, after?.child?.id] as const;
    if (before !== undefined) await advance(level.a);
    if (after !== undefined) await advance(level.b);
    await enter(here, children[0], children[1]);
  }
}

async function entryIfThere(
  snapshot: SnapshotTree,
  path: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<{ entry: TreeEntry | undefined; directory: Uint8Array | undefined } | undefined> {
  try {
    const entry = await entryAt(snapshot, path, signal);
    return { entry, directory: entry === undefined ? snapshot.header.root : entry.child?.id };
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.notFound)) return undefined;
    throw error;
  }
}

function sideOf(
  snapshot: SnapshotTree,
  directory: Uint8Array | undefined,
  signal: AbortSignal | undefined,
): Side {
  const rows = directory === undefined ? undefined : snapshot.tree.entries(Buffer.from(directory), signal);
  return { rows, entry: undefined };
}

async function advance(side: Side): Promise<void> {
  const row = await side.rows?.next();
  side.entry = row === undefined || row.done === true ? undefined : row.value;
}

function orderOf(a: TreeEntry | undefined, b: TreeEntry | undefined): number | undefined {
  if (a === undefined) return b === undefined ? undefined : 1;
  return b === undefined ? -1 : compareBytes(a.name, b.name);
}

function compare(a: TreeEntry | undefined, b: TreeEntry | undefined, path: Buffer): Difference | undefined {
  const before = a === undefined ? undefined : entryInfo(a, path);
  const after = b === undefined ? undefined : entryInfo(b, path);
  const text = before?.path ?? after?.path ?? "";
  if (a === undefined || b === undefined) {
    if (a === b) return undefined;
    return { change: a === undefined ? "added" : "removed", path: text, aspects: [], before, after };
  }
  const aspects = aspectsOf(a, b);
  return aspects.length === 0 ? undefined : { change: "changed", path: text, aspects, before, after };
}

function aspectsOf(a: TreeEntry, b: TreeEntry): Aspect[] {
  if (a.kind !== b.kind) return ["kind"];
  const aspects: Aspect[] = [];
  if (a.size !== b.size || !equalBytes(a.fileHash ?? none, b.fileHash ?? none)) aspects.push("content");
  if (!equalBytes(a.target ?? none, b.target ?? none)) aspects.push("target");
  if (a.mode !== b.mode) aspects.push("mode");
  if (a.uid !== b.uid || a.gid !== b.gid) aspects.push("owner");
  if (!sameTime(a.mtime, b.mtime)) aspects.push("mtime");
  if (!sameXattrs(a.xattrs, b.xattrs)) aspects.push("xattrs");
  if (a.major !== b.major || a.minor !== b.minor) aspects.push("device");
  return aspects;
}

const none = Buffer.alloc(0);

function sameTime(a: Timestamp, b: Timestamp): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

function sameXattrs(a: TreeEntry["xattrs"], b: TreeEntry["xattrs"]): boolean {
  if (a.form === "record" && b.form === "record") return equalBytes(a.id, b.id);
  if (a.form !== "inline" || b.form !== "inline") return a.form === b.form;
  if (a.list.length !== b.list.length) return false;
  return a.list.every((xattr, index) => {
    const other = b.list[index];
    return other !== undefined && xattr.name.equals(other.name) && xattr.value.equals(other.value);
  });
}
