// `agent ls` and `agent cat`.

import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import { type EntryInfo, entryInfo } from "./entryInfo.ts";
import { entryAt, type SnapshotTree } from "./snapshotTree.ts";
import { joined, walkTree } from "./walkTree.ts";

const MiB = 1024 * 1024;
const pieceBytes = 4 * MiB;
const readAheadBytes = 16 * MiB;

/**
 * The entries of a directory, or the one entry that is no directory; with `recursive` everything below.
 * @throws HoldfastError not-found
 */
export async function* listEntries(
  snapshot: SnapshotTree,
  path: readonly Uint8Array[],
  options: { readonly recursive?: boolean; readonly signal?: AbortSignal } = {},
): AsyncGenerator<EntryInfo, void, void> {
  const { signal } = options;
  const { tree, header } = snapshot;
  const whole = wholePath(path);
  const entry = await entryAt(snapshot, path, signal);
  if (entry !== undefined && entry.child === undefined) {
    yield entryInfo(entry, whole);
    return;
  }
  const directory = entry?.child?.id ?? header.root;
  if (options.recursive === true) {
    for await (const walked of walkTree(tree, directory, whole, signal))
      yield entryInfo(walked.entry, walked.path);
    return;
  }
  for await (const row of tree.entries(directory, signal)) yield entryInfo(row, joined(whole, row.name));
}

/** The entry of a file. @throws HoldfastError not-found, usage for anything but a file */
export async function fileAt(
  snapshot: SnapshotTree,
  path: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<TreeEntry & { readonly size: number }> {
  const entry = await entryAt(snapshot, path, signal);
  if (entry?.size === undefined) {
    throw new HoldfastError(ErrorCode.usage, `${pathToText(wholePath(path)) || "/"} is not a file`, {
      next: "Name a file.",
    });
  }
  return { ...entry, size: entry.size };
}

/** The bytes of a file, front to back. @throws HoldfastError not-found, usage for anything but a file */
export async function* fileBytes(
  snapshot: SnapshotTree,
  path: readonly Uint8Array[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  yield* contentBytes(snapshot, await fileAt(snapshot, path, signal), signal);
}

/** The bytes of a file's entry, front to back, each proven by its chunk's seal and id. */
export async function* contentBytes(
  snapshot: SnapshotTree,
  { size, content }: Pick<TreeEntry, "content"> & { readonly size: number },
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < size; at += pieceBytes) {
    signal?.throwIfAborted();
    await snapshot.content.readAhead(content, size, at + pieceBytes, readAheadBytes - pieceBytes);
    yield await snapshot.content.read(content, size, at, pieceBytes, signal);
  }
}

/** The names as one path with a leading slash; empty for none. */
export function wholePath(path: readonly Uint8Array[]): Buffer {
  return path.reduce<Buffer>((whole, name) => joined(whole, name), Buffer.alloc(0));
}
