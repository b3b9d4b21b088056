// Answers about nodes that are objects of the view: its root, folders above snapshots, all of a view without rows.
//
// Invariant: a lookup is counted only in the turn in which its reply is made, so what is counted is also sent.

import { constants } from "node:os";
import type { View, ViewNode } from "../../view/view.ts";
import type { FuseMountOptions } from "../driver.ts";
import { errnoFailure } from "../errno.ts";
import * as abi from "./abi.ts";
import { DirectoryReader } from "./directoryReader.ts";
import { type NodeEntry, NodeTable } from "./nodeTable.ts";
import * as reply from "./reply.ts";
import type { ListRequest, Waiting } from "./rowSession.ts";

const { errno } = constants;
/** Rows of READDIRPLUS hand nodes out in advance only below this; beyond it the kernel must ask by name. */
const PREFETCHED_NODES_MAX = 100_000;
export const IMMUTABLE_SECONDS = 365 * 86_400;
const MUTABLE_SECONDS = 1;

export class ObjectSession {
  readonly nodes: NodeTable;
  readonly #view: View;
  readonly #owner: reply.Ownership;
  readonly directories: DirectoryReader;

  constructor(view: View, options: FuseMountOptions) {
    this.#view = view;
    this.#owner = options.asUser;
    this.nodes = new NodeTable(view.root);
    this.directories = new DirectoryReader(view, (entry, name) => {
      const detail = {
        inode: String(entry.node.attributes.inode),
        name: Buffer.from(name).toString("latin1"),
      };
      options.logger.warn(detail, "a name that Linux cannot show is left out of its directory");
    });
  }

  /** @throws ESTALE */
  entry(nodeId: number): NodeEntry {
    const entry = this.nodes.get(nodeId);
    if (entry === undefined) throw errnoFailure(errno.ESTALE);
    if (entry.closed !== undefined) throw entry.closed;
    if (nodeId === abi.ROOT_NODE_ID) entry.node = this.#view.root;
    return entry;
  }

  /** The node of an id that may be answered about. */
  nodeNow(nodeId: number): ViewNode | undefined {
    const entry = this.nodes.get(nodeId);
    return entry?.closed === undefined ? entry?.node : undefined;
  }

  attributes({ node }: NodeEntry): Uint8Array {
    return reply.attrReply(node.attributes, attrSeconds(node), this.#owner);
  }

  async lookup(parent: NodeEntry, name: Uint8Array, waiting: Waiting): Promise<Uint8Array | undefined> {
    const node = await this.#view.lookup(parent.node, name);
    if (waiting.answered) return undefined;
    if (node === undefined) {
      if (!parent.node.immutable) throw errnoFailure(errno.ENOENT);
      return reply.negativeEntry(IMMUTABLE_SECONDS);
    }
    const out = Buffer.allocUnsafe(abi.ENTRY_OUT_BYTES);
    reply.writeEntry(out, 0, this.#handOut(parent, name, node), this.#owner);
    return out;
  }

  /** Counts a lookup of `node`; what comes back must be sent. */
  #handOut(parent: NodeEntry, name: Uint8Array, node: ViewNode): reply.EntryOut {
    if (!parent.node.immutable) {
      parent.names ??= new Set();
      parent.names.add(Buffer.from(name).toString("latin1"));
    }
    return {
      nodeId: this.nodes.remember(node).nodeId,
      attributes: node.attributes,
      entrySeconds: parent.node.immutable ? IMMUTABLE_SECONDS : MUTABLE_SECONDS,
      attrSeconds: attrSeconds(node),
    };
  }

  /** READDIR and READDIRPLUS. */
  async list(
    entry: NodeEntry,
    { offset, size, plus }: ListRequest,
    waiting: Waiting,
  ): Promise<Uint8Array | undefined> {
    const limit = Math.min(size, abi.MAX_PAGES * abi.PAGE_BYTES);
    const rows: { readonly name: Uint8Array; readonly node: ViewNode | undefined; readonly next: number }[] =
      [];
    let bytes = 0;
    try {
      for await (const { name, row, next } of this.directories.rows(entry, offset)) {
        const length = reply.direntBytes(name.length, plus);
        if (bytes + length > limit) break;
        bytes += length;
        rows.push({ name, node: row?.node, next });
      }
    } catch (error) {
      // The rows before the damage are shown; the next request hears of it.
      if (rows.length === 0) throw error;
    }
    if (waiting.answered) return undefined;
    // No await from here on: nodes that are counted are also sent.
    const out = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const { name, node, next } of rows) {
      if (plus) {
        // Node id 0 says "no attributes here"; "." and ".." are never handed out.
        if (node === undefined || this.nodes.size >= PREFETCHED_NODES_MAX) {
          out.fill(0, at, at + abi.ENTRY_OUT_BYTES);
        } else reply.writeEntry(out, at, this.#handOut(entry, name, node), this.#owner);
        at += abi.ENTRY_OUT_BYTES;
      }
      const attributes = (node ?? entry.node).attributes;
      const kindBits = reply.kindBits(attributes.kind);
      reply.writeDirent(out, at, { inode: attributes.inode, next, kindBits, name });
      at += reply.direntBytes(name.length, false);
    }
    return out;
  }
}

function attrSeconds(node: ViewNode): number {
  return node.immutable ? IMMUTABLE_SECONDS : MUTABLE_SECONDS;
}
