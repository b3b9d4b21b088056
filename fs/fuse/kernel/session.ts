// One mounted connection: takes requests, asks the view, replies.
//
// Invariants: every request but those of abi.silentOpcodes gets exactly one reply (an interrupted one
// EINTR at once; what the view says later is dropped); a node's lookup count grows only for replies
// that are sent; reads in the view take turns (readTurns.ts).

import { constants } from "node:os";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { View, ViewNode } from "../../view/view.ts";
import type { FuseMountOptions } from "../driver.ts";
import { errnoFailure, errnoOf } from "../errno.ts";
import * as abi from "./abi.ts";
import type { FuseChannel } from "./channel.ts";
import { DirectoryReader } from "./directoryReader.ts";
import { seek } from "./extents.ts";
import { FailureLog } from "./failureLog.ts";
import { agree, initReply } from "./negotiate.ts";
import { type NodeEntry, NodeTable } from "./nodeTable.ts";
import { type Pending, PendingRequests } from "./pendingRequests.ts";
import { ReadTurns } from "./readTurns.ts";
import * as reply from "./reply.ts";
import { parseBody, parseHeader, type Request, type RequestHeader } from "./request.ts";
import { xattrNames, xattrValue } from "./xattrs.ts";

const { errno } = constants;
/** Rows of READDIRPLUS hand nodes out in advance only below this; beyond it the kernel must ask by name. */
const PREFETCHED_NODES_MAX = 100_000;
/** The kernel asks for no more; what a request claims beyond is not to cost memory. */
const REPLY_BYTES_MAX = abi.MAX_PAGES * abi.PAGE_BYTES;
const IMMUTABLE_SECONDS = 365 * 86_400;
const MUTABLE_SECONDS = 1;

/** Pieces are good for this turn of the event loop: what is awaited between having and sending them is settled. */
type Answer = Uint8Array | readonly Uint8Array[] | undefined;

export class FuseSession {
  readonly nodes: NodeTable;
  /** Ids of files that were read: the kernel may have pages of them. */
  readonly filesRead = new Set<number>();
  readonly #view: View;
  readonly #options: FuseMountOptions;
  readonly pending = new PendingRequests((unique, status) => this.#send(unique, status));
  readonly directories: DirectoryReader;
  readonly #failures: FailureLog;
  readonly #readTurns = new ReadTurns();
  #agreed = agree(0, abi.PROTOCOL_MINOR);
  #channel: FuseChannel | undefined;

  constructor(view: View, options: FuseMountOptions) {
    this.#view = view;
    this.#options = options;
    this.#failures = new FailureLog(options.logger);
    this.nodes = new NodeTable(view.root);
    this.directories = new DirectoryReader(view, (entry, name) => {
      const detail = {
        inode: String(entry.node.attributes.inode),
        name: Buffer.from(name).toString("latin1"),
      };
      options.logger.warn(detail, "a name that Linux cannot show is left out of its directory");
    });
  }

  attach(channel: FuseChannel): void {
    this.#channel = channel;
  }

  /** Answers all that is pending or comes with ENOTCONN: a view that stalls must not hold up the end. */
  stop(): void {
    this.pending.stop();
  }

  /** Handles one request; never throws. */
  receive(bytes: Buffer): void {
    let header: RequestHeader | undefined;
    try {
      header = parseHeader(bytes);
      const body = parseBody(bytes, header.opcode);
      if (body.op === "forget") {
        for (const { nodeId, lookups } of body.forgets) {
          this.nodes.forget(nodeId, lookups);
          if (this.nodes.get(nodeId) === undefined) this.filesRead.delete(nodeId);
        }
      } else if (body.op === "interrupt") this.pending.answerNow(body.unique, errno.EINTR);
      else if (body.op === "read" && this.#readNow(header, body)) return;
      else if (!abi.silentOpcodes.has(header.opcode)) void this.#serve({ header, body });
    } catch (error) {
      this.#options.logger.error(
        { err: error, opcode: header?.opcode },
        "the kernel sent an unreadable request",
      );
      if (header !== undefined && !abi.silentOpcodes.has(header.opcode))
        this.#send(header.unique, errno.EINVAL);
    }
  }

  async #serve(request: Request): Promise<void> {
    const pending = this.pending.begin(request);
    if (pending === undefined) return;
    let status = 0;
    let answer: Answer;
    try {
      answer = await this.#answer(request, pending);
    } catch (error) {
      status = this.#failure(request, error, pending);
    }
    const { unique } = request.header;
    if (!pending.answered) this.#send(unique, status, answer);
    this.pending.end(unique);
  }

  #answer(request: Request, pending: Pending): Promise<Answer> | Answer {
    const { header, body } = request;
    if (body.op === "init") {
      this.#agreed = agree(body.flags, body.minor);
      return initReply(this.#agreed, body, this.#options.readAheadBytes);
    }
    if (body.op === "destroy") return undefined;
    if (body.op === "statfs") return this.#statfs();
    if (this.#options.xattrs === false && (body.op === "getxattr" || body.op === "listxattr")) {
      throw errnoFailure(errno.ENOSYS);
    }
    const entry = this.#entry(header.nodeId);
    if (body.op === "read") this.filesRead.add(header.nodeId);
    switch (body.op) {
      case "lookup":
        return this.#lookup(entry, body.name, pending);
      case "getattr":
        return reply.attrReply(entry.node.attributes, attrSeconds(entry.node), this.#options.asUser);
      case "readlink":
        return this.#view.readlink(entry.node);
      case "open":
        if (this.#agreed.zeroMessageOpen) throw errnoFailure(errno.ENOSYS);
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache : 0);
      case "opendir":
        if (this.#agreed.zeroMessageOpendir) throw errnoFailure(errno.ENOSYS);
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache | abi.OpenFlag.cacheDir : 0);
      case "read":
        return this.#read(entry, body.offset, Math.min(body.size, REPLY_BYTES_MAX), pending);
      case "readdir":
        return this.#readdir(entry, body, pending);
      case "getxattr":
        return xattrValue(this.#view, entry.node, body, this.#options.asUser !== undefined);
      case "listxattr":
        return xattrNames(this.#view, entry.node, body);
      case "lseek":
        return seek(this.#view, entry.node, body, pending.abort?.signal).then((at) => {
          if (at === undefined) throw errnoFailure(errno.ENXIO);
          return reply.offsetReply(at);
        });
      case "access":
      case "release":
        return undefined;
      case "write":
        throw errnoFailure(errno.EROFS);
      case "ioctl":
        throw errnoFailure(errno.ENOTTY);
      default:
        // ENOSYS also tells the kernel not to ask again (FLUSH, FSYNC, POLL, locks, STATX).
        throw errnoFailure(errno.ENOSYS);
    }
  }

  #entry(nodeId: number): NodeEntry {
    const entry = this.nodes.get(nodeId);
    if (entry === undefined) throw errnoFailure(errno.ESTALE);
    if (entry.closed !== undefined) throw entry.closed;
    if (nodeId === abi.ROOT_NODE_ID) entry.node = this.#view.root;
    return entry;
  }

  async #lookup(parent: NodeEntry, name: Uint8Array, pending: Pending): Promise<Answer> {
    const node = await this.#view.lookup(parent.node, name);
    if (pending.answered) return undefined;
    if (node === undefined) {
      if (!parent.node.immutable) throw errnoFailure(errno.ENOENT);
      return reply.negativeEntry(IMMUTABLE_SECONDS);
    }
    const out = Buffer.allocUnsafe(abi.ENTRY_OUT_BYTES);
    reply.writeEntry(out, 0, this.#handOut(parent, name, node), this.#options.asUser);
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

  async #readdir(
    entry: NodeEntry,
    { offset, size, plus }: { readonly offset: number; readonly size: number; readonly plus: boolean },
    pending: Pending,
  ): Promise<Answer> {
    const limit = Math.min(size, REPLY_BYTES_MAX);
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
    if (pending.answered) return undefined;
    // No await from here on: nodes that are counted are also sent.
    const out = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const { name, node, next } of rows) {
      if (plus) {
        // Node id 0 says "no attributes here"; "." and ".." are never handed out.
        if (node === undefined || this.nodes.size >= PREFETCHED_NODES_MAX) {
          out.fill(0, at, at + abi.ENTRY_OUT_BYTES);
        } else reply.writeEntry(out, at, this.#handOut(entry, name, node), this.#options.asUser);
        at += abi.ENTRY_OUT_BYTES;
      }
      const attributes = (node ?? entry.node).attributes;
      const kindBits = reply.kindBits(attributes.kind);
      reply.writeDirent(out, at, { inode: attributes.inode, next, kindBits, name });
      at += reply.direntBytes(name.length, false);
    }
    return out;
  }

  /** Answers a read from memory. */
  #readNow({ nodeId, unique }: RequestHeader, { offset, size }: { offset: bigint; size: number }): boolean {
    const entry = this.nodes.get(nodeId);
    if (entry === undefined || entry.closed !== undefined) return false;
    const pieces = this.#view.piecesNow(entry.node, offset, Math.min(size, REPLY_BYTES_MAX));
    if (pieces === undefined) return false;
    this.filesRead.add(nodeId);
    this.#send(unique, 0, pieces);
    return true;
  }

  async #read(entry: NodeEntry, offset: bigint, size: number, pending: Pending): Promise<Answer> {
    await this.#readTurns.take();
    try {
      if (pending.answered) return undefined;
      return await this.#view.readPieces(entry.node, offset, size, pending.abort?.signal);
    } finally {
      this.#readTurns.end();
    }
  }

  async #statfs(): Promise<Answer> {
    const { totalBytes, nodes } = await this.#view.statistics();
    return reply.statfsReply(totalBytes, nodes);
  }

  #failure(request: Request, error: unknown, pending: Pending): number {
    const status = errnoOf(error);
    if (status === errno.EIO && !pending.answered) {
      this.#failures.tell(error, request.body, this.nodes.get(request.header.nodeId)?.node.attributes.inode);
    }
    return status;
  }

  #send(unique: number, status: number, answer?: Answer): void {
    const refused = this.#channel?.reply(unique, status, answer);
    if (refused === undefined) return;
    const error = new HoldfastError(ErrorCode.internal, `the kernel refused a reply (${refused})`);
    this.#options.logger.error({ err: error }, "a reply to the kernel was malformed");
    if (status === 0) this.#channel?.reply(unique, errno.EIO);
  }
}

function attrSeconds(node: ViewNode): number {
  return node.immutable ? IMMUTABLE_SECONDS : MUTABLE_SECONDS;
}
