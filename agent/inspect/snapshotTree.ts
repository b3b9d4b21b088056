// An opened snapshot, ready to be looked into.

import { ContentReader } from "../../fs/view/contentReader.ts";
import type { RecordSource } from "../../fs/view/ports.ts";
import { createCaches, RecordOpener } from "../../fs/view/recordOpener.ts";
import { type TreeEntry, TreeReader } from "../../fs/view/treeReader.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { SnapshotBody, SnapshotHeader } from "../../vault/snapshot.ts";

const MiB = 1024 * 1024;
const dataCacheBytes = 16 * MiB;
const pageCacheBytes = 24 * MiB;

export type SnapshotTree = {
  readonly header: SnapshotHeader;
  readonly body: SnapshotBody;
  readonly tree: TreeReader;
  readonly content: ContentReader;
};

/** What the commands work on; `row`, `header` and `body` as agent/session opens them. */
export function openTree(
  source: RecordSource,
  snapshot: { readonly keys: VaultKeys; readonly header: SnapshotHeader; readonly body: SnapshotBody },
): SnapshotTree {
  const { keys, header, body } = snapshot;
  const caches = createCaches(dataCacheBytes, pageCacheBytes);
  const opener = new RecordOpener({ source, keys, group: header.group, caches });
  return { header, body, tree: new TreeReader(opener), content: new ContentReader(opener) };
}

/** What a path of names leads to: an entry, or undefined for the root directory itself. @throws HoldfastError not-found */
export async function entryAt(
  { header, tree }: SnapshotTree,
  path: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<TreeEntry | undefined> {
  return path.length === 0 ? undefined : await tree.walk(header.root, path, signal);
}
