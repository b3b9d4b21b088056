// Makes the kernel drop what it cached: names that changed, and everything of nodes that were closed.
//
// Notifications go out one after the other. A name that the kernel drops takes all below it along that nobody holds open, and the
// kernel's FORGETs then empty the node table: so names go first where a vault was locked.

import type { HoldfastError } from "../../../vault/errors.ts";
import type { View, ViewNode } from "../../view/view.ts";
import * as abi from "./abi.ts";
import type { FuseChannel } from "./channel.ts";
import type { DirectoryReader } from "./directoryReader.ts";
import type { NodeTable } from "./nodeTable.ts";
import { invalEntry, invalInode } from "./notices.ts";

export type InvalidationParts = {
  readonly view: View;
  readonly nodes: NodeTable;
  readonly directories: DirectoryReader;
  readonly channel: FuseChannel;
};

export class Invalidation {
  readonly #parts: InvalidationParts;
  readonly #stops: readonly (() => void)[];

  /** Listens to the view until `stop`. */
  constructor(parts: InvalidationParts) {
    this.#parts = parts;
    this.#stops = [
      parts.view.onNamesChanged((directory, gone) => void this.#namesChanged(directory, gone)),
      parts.view.onClosed((reasonOf) => void this.#nodesClosed(reasonOf)),
    ];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  /** Names below a mutable directory (all, unless it is known which), and its rows. */
  async #namesChanged(directory: ViewNode, gone?: readonly Uint8Array[]): Promise<void> {
    const { view, nodes, directories, channel } = this.#parts;
    const root = directory.attributes.inode === view.root.attributes.inode;
    const entry = root ? nodes.get(abi.ROOT_NODE_ID) : nodes.find(directory);
    if (entry === undefined) return;
    directories.forget(entry);
    const known = entry.names ?? new Set();
    const names = gone?.map((name) => Buffer.from(name).toString("latin1")) ?? [...known];
    for (const name of names) {
      if (!known.delete(name)) continue;
      await channel.notify(abi.Notify.invalEntry, invalEntry(entry.nodeId, Buffer.from(name, "latin1")));
    }
    await channel.notify(abi.Notify.invalInode, invalInode(entry.nodeId));
  }

  /** Nothing of these nodes is answered from here on; the kernel also drops the pages of open and mapped files. */
  async #nodesClosed(reasonOf: (node: ViewNode) => HoldfastError | undefined): Promise<void> {
    const { nodes, directories, channel } = this.#parts;
    directories.forgetAll();
    for (const nodeId of nodes.close(reasonOf)) {
      // Meanwhile the kernel may have let go of it.
      if (nodes.get(nodeId) === undefined) continue;
      await channel.notify(abi.Notify.invalInode, invalInode(nodeId));
    }
  }
}
