// The one View over a single opened snapshot, for what takes a view: archives.

import type { Keyring, RecordSource, SnapshotCatalog } from "../../fs/view/ports.ts";
import { createCaches, RecordOpener } from "../../fs/view/recordOpener.ts";
import { RootNode, SnapshotContext } from "../../fs/view/snapshotNodes.ts";
import { VaultView } from "../../fs/view/vaultView.ts";
import type { View, ViewNode } from "../../fs/view/view.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { OpenedSnapshot } from "../session/snapshotList.ts";
import { wholePath } from "./listTree.ts";

const MiB = 1024 * 1024;
const rootInode = 2n;

/** The snapshot's root directory in a view of its own; there is no namespace above it. */
export function snapshotView(
  source: RecordSource,
  { row, header, body, keys }: OpenedSnapshot,
): { readonly view: View; readonly root: ViewNode } {
  const caches = createCaches(32 * MiB, 24 * MiB);
  const view = new VaultView({ source, catalog: noCatalog, keyring: noKeyring, caches });
  const opener = new RecordOpener({ source, keys, group: header.group, caches });
  const timeNs = BigInt(Date.parse(body.time)) * 1_000_000n;
  const context = new SnapshotContext(opener, {
    id: row.id,
    root: header.root,
    timeNs,
    lock: { closed: undefined },
  });
  return { view, root: new RootNode(context, rootInode) };
}

/** What a path of names leads to. @throws HoldfastError not-found */
export async function nodeAt(view: View, root: ViewNode, path: readonly Uint8Array[]): Promise<ViewNode> {
  let node = root;
  for (const name of path) {
    const next = node.attributes.kind === "directory" ? await view.lookup(node, name) : undefined;
    if (next === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `${pathToText(wholePath(path))} is not in this snapshot`, {
        next: "List the folder above it to see what is there: holdfast agent ls",
      });
    }
    node = next;
  }
  return node;
}

const noCatalog: SnapshotCatalog = {
  accounts: async () => [],
  devices: async () => [],
  snapshots: async () => [],
  object: async () => {
    throw new HoldfastError(ErrorCode.notFound, "a view of one snapshot knows no other");
  },
  onChanged: () => () => undefined,
};

const noKeyring: Keyring = { keysOf: () => undefined, onChanged: () => () => undefined };
