// Makes the kernel drop what it cached: names that changed, and everything of nodes that were closed.
//
// Notifications go out one after the other. Where a vault was locked, the pages of files that were read go first. A name that the kernel
// drops takes all below it along that nobody holds open, and FORGETs then empty the node table: few of very many are left to be told.

import type { HoldfastError } from "../../../vault/errors.ts";
import type { View, ViewNode } from "../../view/view.ts";
import * as abi from "./abi.ts";
import type { FuseChannel } from "./channel.ts";
import type { ContentStores } from "./contentStores.ts";
import type { FilesRead } from "./filesRead.ts";
import { invalEntry, invalInode, noticeMsMax } from "./notices.ts";
import type { ObjectSession } from "./objectSession.ts";
import type { PendingRequests } from "./pendingRequests.ts";
import type { RowSession } from "./rowSession.ts";

export type InvalidationParts = {
  readonly view: View;
  readonly objects: ObjectSession;
  readonly rows: RowSession | undefined;
  readonly filesRead: FilesRead;
  readonly channel: FuseChannel;
  readonly pending: PendingRequests;
  readonly stores: ContentStores | undefined;
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
    const { view, objects } = this.#parts;
    const { nodes, directories } = objects;
    const root = directory.attributes.inode === view.root.attributes.inode;
    const entry = root ? nodes.get(abi.ROOT_NODE_ID) : nodes.find(directory);
    if (entry === undefined) return;
    directories.forget(entry);
    const known = entry.names ?? new Set();
    const names = gone?.map((name) => Buffer.from(name).toString("latin1")) ?? [...known];
    for (const name of names) {
      if (!known.delete(name)) continue;
      const body = invalEntry(entry.nodeId, Buffer.from(name, "latin1"));
      await this.#notify(entry.nodeId, abi.Notify.invalEntry, body);
    }
    await this.#notify(entry.nodeId, abi.Notify.invalInode, invalInode(entry.nodeId));
  }

  /** Nothing of these nodes is answered from here on; the kernel also drops the pages of open and mapped files. */
  async #nodesClosed(reasonOf: (node: ViewNode) => HoldfastError | undefined): Promise<void> {
    const { objects, rows, filesRead, stores, channel } = this.#parts;
    if (stores !== undefined) channel.noticesAfter(stores.drop());
    const { nodes, directories } = objects;
    directories.forgetAll();
    const closed = new Set(nodes.close(reasonOf));
    const blocks = rows?.close() ?? [];
    const closedBlocks = new Set(blocks.map(({ first }) => rows?.nodes.blockOf(first)));
    const isClosed = (id: number): boolean => closed.has(id) || closedBlocks.has(rows?.nodes.blockOf(id));
    // In line at once, before the names that are told of next.
    for (const nodeId of filesRead) {
      if (isClosed(nodeId)) void this.#notify(nodeId, abi.Notify.invalInode, invalInode(nodeId));
    }
    for (const nodeId of closed) {
      // Meanwhile the kernel may have let go of it.
      if (nodes.get(nodeId) !== undefined)
        await this.#notify(nodeId, abi.Notify.invalInode, invalInode(nodeId));
    }
    for (const { first, count } of blocks) {
      for (let nodeId = first; nodeId < first + count && rows?.nodes.isHeld(nodeId); nodeId++) {
        await this.#notify(nodeId, abi.Notify.invalInode, invalInode(nodeId));
      }
    }
  }

  /** Notifies while nothing in our hands makes the kernel hold locks of the node. */
  async #notify(nodeId: number, code: number, body: Uint8Array): Promise<void> {
    const { channel, pending } = this.#parts;
    await pending.untilIdle(nodeId);
    if (pending.stopped) return;
    const late = setTimeout(() => pending.interrupt(nodeId), noticeMsMax);
    await channel.notify(code, body);
    clearTimeout(late);
  }
}
