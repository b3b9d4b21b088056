// One mounted connection: takes requests, asks the view, replies.
//
// Invariants: every request but FORGET, BATCH_FORGET and INTERRUPT gets exactly one reply (an interrupted one
// EINTR at once; what the view says later is dropped); a node's lookup count grows only for replies
// that are sent; at most READS_AT_ONCE reads are in the view, the rest wait in order.

import { constants } from "node:os";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { RowDirectory, Soon } from "../../view/rows.ts";
import type { View, ViewNode } from "../../view/view.ts";
import type { FuseMountOptions } from "../driver.ts";
import { ENOATTR, errnoFailure, errnoOf } from "../errno.ts";
import * as abi from "./abi.ts";
import type { FuseChannel } from "./channel.ts";
import { seek } from "./extents.ts";
import { agree, initReply } from "./negotiate.ts";
import { IMMUTABLE_SECONDS, ObjectSession } from "./objectSession.ts";
import * as reply from "./reply.ts";
import { parseBody, parseHeader, type Request, type RequestHeader } from "./request.ts";
import { RowSession } from "./rowSession.ts";
import { xattrNames, xattrValue } from "./xattrs.ts";

const { errno } = constants;
const READS_AT_ONCE = 64;

/** `abort` is there only for what can take long: making one costs more than answering from memory. */
type Pending = { readonly abort: AbortController | undefined; answered: boolean };
/** A number is an errno: throwing one costs more than the rest of an answer from memory. */
type Answer = Uint8Array | number | undefined;
/** A node that a request is about. */
type Known = { readonly node: ViewNode };

export class FuseSession {
  /** Asked about nodes that are objects of the view. */
  readonly #objects: ObjectSession;
  /** Asked about nodes that are rows of directories in snapshots. */
  readonly #rows: RowSession | undefined;
  readonly #view: View;
  readonly #options: FuseMountOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #waitingReads: (() => void)[] = [];
  #reads = 0;
  #agreed = agree(0, abi.PROTOCOL_MINOR);
  #channel: FuseChannel | undefined;

  constructor(view: View, options: FuseMountOptions) {
    this.#view = view;
    this.#options = options;
    this.#objects = new ObjectSession(view, options);
    this.#rows = view.rows && new RowSession(view.rows, IMMUTABLE_SECONDS, options.asUser);
  }

  /** Nodes that the kernel holds; one that it looked up twice may count twice. */
  get nodeCount(): number {
    return this.#objects.nodes.size + (this.#rows?.nodes.lookups ?? 0);
  }

  /** Whether every request was answered. */
  get idle(): boolean {
    return this.#pending.size === 0;
  }

  attach(channel: FuseChannel): void {
    this.#channel = channel;
  }

  /** Ends all reads that are still in the view. */
  stop(): void {
    for (const pending of this.#pending.values()) pending.abort?.abort();
  }

  /** Handles one request; never throws. */
  receive(bytes: Buffer): void {
    let header: RequestHeader | undefined;
    try {
      header = parseHeader(bytes);
      const body = parseBody(bytes, header.opcode);
      if (body.op === "forget") {
        for (const { nodeId, lookups } of body.forgets) this.#forget(nodeId, lookups);
      } else if (body.op === "interrupt") this.#interrupt(body.unique);
      else this.#serve({ header, body });
    } catch (error) {
      this.#options.logger.error(
        { err: error, opcode: header?.opcode },
        "the kernel sent an unreadable request",
      );
      if (header !== undefined) this.#send(header.unique, errno.EINVAL);
    }
  }

  /** Makes the kernel drop the names below a mutable directory. */
  async namesChanged(directory: ViewNode): Promise<void> {
    this.#rows?.drop();
    for (const { code, body } of this.#objects.namesChanged(directory)) {
      await this.#channel?.notify(code, body);
    }
  }

  #forget(nodeId: number, lookups: number): void {
    if (RowSession.owns(nodeId)) this.#rows?.forget(nodeId, lookups);
    else this.#objects.nodes.forget(nodeId, lookups);
  }

  #serve(request: Request): void {
    const { unique } = request.header;
    const long = request.body.op === "read" || request.body.op === "lseek";
    const pending: Pending = { abort: long ? new AbortController() : undefined, answered: false };
    let answer: Soon<Answer>;
    try {
      answer = this.#answer(request, pending);
    } catch (error) {
      this.#send(unique, this.#failure(request, error, pending));
      return;
    }
    if (answer instanceof Promise) void this.#serveLater(request, answer, pending);
    else this.#sendAnswer(unique, answer);
  }

  async #serveLater(request: Request, later: Promise<Answer>, pending: Pending): Promise<void> {
    const { unique } = request.header;
    this.#pending.set(unique, pending);
    let answer: Answer;
    try {
      answer = await later;
    } catch (error) {
      answer = this.#failure(request, error, pending);
    } finally {
      // The kernel reuses nothing here: `unique` only ever grows.
      this.#pending.delete(unique);
    }
    if (!pending.answered) this.#sendAnswer(unique, answer);
  }

  #answer(request: Request, pending: Pending): Soon<Answer> {
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
    if (RowSession.owns(header.nodeId)) return this.#answerRow(request, pending);
    const entry = this.#objects.entry(header.nodeId);
    switch (body.op) {
      case "lookup": {
        const directory = this.#rows?.directoryOf(entry.node);
        if (directory !== undefined) return this.#rows?.lookup(directory, body.name, pending);
        return this.#objects.lookup(entry, body.name, pending);
      }
      case "readdir": {
        const directory = this.#rows?.directoryOf(entry.node);
        if (directory !== undefined) return this.#rows?.list(directory, body, pending);
        return this.#objects.list(entry, body, pending);
      }
      case "getattr":
        return this.#objects.attributes(entry);
      default:
        return this.#answerAbout(entry, request, pending);
    }
  }

  /** Answers about a row, from memory where that is possible. */
  #answerRow(request: Request, pending: Pending): Soon<Answer> {
    const { header, body } = request;
    const rows = this.#rows as RowSession;
    switch (body.op) {
      case "lookup":
      case "readdir": {
        const go = (directory: RowDirectory): Soon<Uint8Array | undefined> =>
          body.op === "lookup"
            ? rows.lookup(directory, body.name, pending)
            : rows.list(directory, body, pending);
        return rows.below(header.nodeId, go);
      }
      case "getattr":
        return rows.attributes(header.nodeId);
      case "getxattr":
      case "listxattr":
        if (rows.hasXattrs(header.nodeId) !== false) break;
        if (body.op === "getxattr") return ENOATTR;
        return body.size === 0 ? reply.sizeReply(0) : undefined;
      default:
    }
    const node = rows.node(header.nodeId);
    if (node instanceof Promise)
      return node.then((later) => this.#answerAbout({ node: later }, request, pending));
    return this.#answerAbout({ node }, request, pending);
  }

  #answerAbout(entry: Known, { body }: Request, pending: Pending): Soon<Answer> {
    switch (body.op) {
      case "readlink":
        return this.#view.readlink(entry.node);
      case "open":
        if (this.#agreed.zeroMessageOpen) throw errnoFailure(errno.ENOSYS);
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache : 0);
      case "opendir":
        if (this.#agreed.zeroMessageOpendir) throw errnoFailure(errno.ENOSYS);
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache | abi.OpenFlag.cacheDir : 0);
      case "read":
        return this.#read(entry, body.offset, body.size, pending);
      case "getxattr":
        return xattrValue(this.#view, entry.node, body.name, body.size);
      case "listxattr":
        return xattrNames(this.#view, entry.node, body.size);
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

  async #read(entry: Known, offset: bigint, size: number, pending: Pending): Promise<Answer> {
    if (this.#reads >= READS_AT_ONCE) await new Promise<void>((go) => this.#waitingReads.push(go));
    else this.#reads++;
    try {
      if (pending.answered || offset >= entry.node.attributes.size) return undefined;
      const data = await this.#view.read(entry.node, offset, size, pending.abort?.signal);
      // More than was asked for would make the kernel drop the reply and hang the reader.
      return data.length > size ? data.subarray(0, size) : data;
    } finally {
      const next = this.#waitingReads.shift();
      // The place passes on; the count stays.
      if (next === undefined) this.#reads--;
      else next();
    }
  }

  async #statfs(): Promise<Answer> {
    const { totalBytes, nodes } = await this.#view.statistics();
    return reply.statfsReply(totalBytes, nodes);
  }

  #interrupt(unique: number): void {
    const pending = this.#pending.get(unique);
    // Unknown: answered meanwhile. The kernel wants no reply then.
    if (pending === undefined || pending.answered) return;
    pending.answered = true;
    pending.abort?.abort();
    this.#send(unique, errno.EINTR);
  }

  #failure(request: Request, error: unknown, pending: Pending): number {
    const status = errnoOf(error);
    if (status === errno.EIO && !pending.answered) {
      const code = isHoldfastError(error) ? error.code : ErrorCode.internal;
      const { nodeId } = request.header;
      const inode = this.#rows?.inodeOf(nodeId) ?? this.#objects.nodes.get(nodeId)?.node.attributes.inode;
      const detail = { err: error, code, op: request.body.op, inode: String(inode) };
      const range =
        request.body.op === "read" ? { offset: String(request.body.offset), size: request.body.size } : {};
      this.#options.logger.error({ ...detail, ...range }, "reading from the drive failed");
    }
    return status;
  }

  #sendAnswer(unique: number, answer: Answer): void {
    if (typeof answer === "number") this.#send(unique, answer);
    else this.#send(unique, 0, answer);
  }

  #send(unique: number, status: number, answer?: Uint8Array): void {
    const refused = this.#channel?.reply(unique, status, answer);
    if (refused === undefined) return;
    const error = new HoldfastError(ErrorCode.internal, `the kernel refused a reply (${refused})`);
    this.#options.logger.error({ err: error }, "a reply to the kernel was malformed");
    if (status === 0) this.#channel?.reply(unique, errno.EIO);
  }
}
