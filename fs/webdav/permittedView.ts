// A view without what one user may not read, for what walks whole trees: files and folders that are closed to the user are not there.

import type { DirectoryPage, DirectoryRow, View, ViewNode } from "../view/view.ts";
import { NodeKind } from "../view/view.ts";
import { type AsUser, mayDo, Permission } from "./permissions.ts";

const needed: { readonly [kind in NodeKind]?: number } = {
  [NodeKind.file]: Permission.read,
  [NodeKind.directory]: Permission.list,
};

/** The same view where everything may be read. */
export function permittedView(view: View, asUser: AsUser): View {
  if (asUser === undefined || asUser.uid === 0) return view;
  const isOpen = (node: ViewNode): Promise<boolean> =>
    mayDo(view, node, asUser, needed[node.attributes.kind] ?? 0);
  return {
    root: view.root,
    async lookup(directory, name): Promise<ViewNode | undefined> {
      const child = await view.lookup(directory, name);
      return child !== undefined && (await isOpen(child)) ? child : undefined;
    },
    async readPage(directory, from, rowsMax): Promise<DirectoryPage> {
      const { rows, next } = await view.readPage(directory, from, rowsMax);
      const open: DirectoryRow[] = [];
      for (const row of rows) if (await isOpen(row.node)) open.push(row);
      return { rows: open, next };
    },
    readlink: (node) => view.readlink(node),
    xattrs: (node) => view.xattrs(node),
    read: (node, offset, length, signal) => view.read(node, offset, length, signal),
    readPieces: (node, offset, length, signal) => view.readPieces(node, offset, length, signal),
    piecesNow: (node, offset, length) => view.piecesNow(node, offset, length),
    contentTag: (node) => view.contentTag(node),
    extentAt: (node, offset) => view.extentAt(node, offset),
    statistics: () => view.statistics(),
    onNamesChanged: (listener) => view.onNamesChanged(listener),
    onClosed: (listener) => view.onClosed(listener),
  };
}
