// Which node the kernel means by a node id.
//
// Invariants: node ids are never reused, so their generation is always 0; one inode has one id as
// long as the kernel knows it (hard links therefore share page cache); an entry lives exactly while
// the kernel holds lookups of it, and the root for ever.

import type { HoldfastError } from "../../../vault/errors.ts";
import type { ViewNode } from "../../view/view.ts";
import { ROOT_NODE_ID } from "./abi.ts";

export type NodeEntry = {
  readonly nodeId: number;
  /** The newest object for this inode: what a mutable node shows may have changed. */
  node: ViewNode;
  lookups: number;
  /** Why nothing of it is answered any more: its vault was locked. The node is gone then. */
  closed: HoldfastError | undefined;
  /** Names below a mutable directory that the kernel may have cached, byte for byte as latin1. */
  names: Set<string> | undefined;
  /** Where the pages of this directory start (see directoryReader.ts). */
  pageStarts: bigint[] | undefined;
};

export class NodeTable {
  readonly #byId = new Map<number, NodeEntry>();
  readonly #byInode = new Map<bigint, NodeEntry>();
  readonly #root: ViewNode;
  #lastId = ROOT_NODE_ID;

  constructor(root: ViewNode) {
    this.#root = root;
    this.#add(ROOT_NODE_ID, root);
  }

  /** Entries now in the table, the root among them. */
  get size(): number {
    return this.#byId.size;
  }

  get(nodeId: number): NodeEntry | undefined {
    return this.#byId.get(nodeId);
  }

  /** The entry of a node, if the kernel knows it. */
  find(node: ViewNode): NodeEntry | undefined {
    return this.#byInode.get(node.attributes.inode);
  }

  /** Counts one lookup of the node; every such call must reach the kernel in a reply. */
  remember(node: ViewNode): NodeEntry {
    const entry = this.#byInode.get(node.attributes.inode) ?? this.#add(++this.#lastId, node);
    entry.node = node;
    entry.lookups++;
    return entry;
  }

  /** The kernel let go of `lookups` references. Unknown ids are ignored: they cannot be trusted. */
  forget(nodeId: number, lookups: number): void {
    const entry = this.#byId.get(nodeId);
    if (entry === undefined || nodeId === ROOT_NODE_ID) return;
    entry.lookups -= lookups;
    if (entry.lookups > 0) return;
    this.#byId.delete(nodeId);
    // A closed one is no longer found by its inode; what is there now is another entry.
    if (entry.closed === undefined) this.#byInode.delete(entry.node.attributes.inode);
  }

  /**
   * Closes the entries whose nodes `reasonOf` knows: the kernel may still name them, and their inodes get new ids when they are looked up
   * again, so that nothing that hangs on the old ids comes back to life. Returns the ids.
   */
  close(reasonOf: (node: ViewNode) => HoldfastError | undefined): number[] {
    const ids: number[] = [];
    for (const entry of this.#byId.values()) {
      const reason = entry.closed === undefined ? reasonOf(entry.node) : undefined;
      if (reason === undefined) continue;
      this.#byInode.delete(entry.node.attributes.inode);
      Object.assign(entry, { closed: reason, node: this.#root, names: undefined, pageStarts: undefined });
      ids.push(entry.nodeId);
    }
    return ids;
  }

  #add(nodeId: number, node: ViewNode): NodeEntry {
    const entry = { nodeId, node, lookups: 0, closed: undefined, names: undefined, pageStarts: undefined };
    this.#byId.set(nodeId, entry);
    this.#byInode.set(node.attributes.inode, entry);
    return entry;
  }
}
