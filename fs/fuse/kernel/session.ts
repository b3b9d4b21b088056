// One mounted connection: takes requests, asks the view, replies.
//
// Invariants: every request but those of abi.silentOpcodes gets exactly one reply (an interrupted one
// EINTR at once; what the view says later is dropped); a node's lookup count grows only for replies
// that are sent; reads in the view take turns (readTurns.ts).

import { constants } from "node:os";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { RowDirectory, Soon } from "../../view/rows.ts";
import type { View, ViewNode } from "../../view/view.ts";
import type { FuseMountOptions } from "../driver.ts";
import { ENOATTR, errnoFailure, errnoOf } from "../errno.ts";
import * as abi from "./abi.ts";
import type { FuseChannel } from "./channel.ts";
import { ContentStores } from "./contentStores.ts";
import { seek } from "./extents.ts";
import { FailureLog } from "./failureLog.ts";
import { FilesRead } from "./filesRead.ts";
import { agree, enforcesAcls, initReply } from "./negotiate.ts";
import { IMMUTABLE_SECONDS, ObjectSession } from "./objectSession.ts";
import { type Pending, PendingRequests } from "./pendingRequests.ts";
import { ReadTurns } from "./readTurns.ts";
import * as reply from "./reply.ts";
import { parseBody, parseHeader, type Request, type RequestHeader } from "./request.ts";
import { RowSession } from "./rowSession.ts";
import { xattrNames, xattrValue } from "./xattrs.ts";

const { errno } = constants;
/** The kernel asks for no more; what a request claims beyond is not to cost memory. */
const REPLY_BYTES_MAX = abi.MAX_PAGES * abi.PAGE_BYTES;

/**
 * A number is an errno: throwing one costs more than the rest of an answer from memory. Pieces are good for this turn of the event
 * loop: what is awaited between having and sending them is settled.
 */
type Answer = Uint8Array | readonly Uint8Array[] | number | undefined;
/** A node that a request is about. */
type Known = { readonly node: ViewNode };

export class FuseSession {
  /** Asked about nodes that are objects of the view. */
  readonly objects: ObjectSession;
  /** Asked about nodes that are rows of directories in snapshots. */
  readonly rows: RowSession | undefined;
  readonly filesRead = new FilesRead();
  readonly pending = new PendingRequests((unique, status) => this.#send(unique, status));
  readonly #view: View;
  readonly #options: FuseMountOptions;
  readonly #failures: FailureLog;
  readonly #readTurns = new ReadTurns();
  #agreed = agree(0, abi.PROTOCOL_MINOR, true);
  #channel: FuseChannel | undefined;
  #stores: ContentStores | undefined;

  constructor(view: View, options: FuseMountOptions) {
    this.#view = view;
    this.#options = options;
    this.#failures = new FailureLog(options.logger);
    this.objects = new ObjectSession(view, options);
    this.rows =
      view.rows &&
      new RowSession(view.rows, IMMUTABLE_SECONDS, options.asUser, (directory, rows) =>
        this.#stores?.listed(directory, rows),
      );
  }

  /** Nodes that the kernel holds; one that it looked up twice may count twice. */
  get nodeCount(): number {
    return this.objects.nodes.size + (this.rows?.nodes.lookups ?? 0);
  }

  attach(channel: FuseChannel): void {
    this.#channel = channel;
  }

  /** Puts content of small files into the kernel ahead of readers, where that can be; `descriptor`: of /dev/fuse. */
  storeAhead(descriptor: number): ContentStores | undefined {
    const { rows, filesRead, pending } = this;
    const ready = this.#view.rows?.ready;
    if (this.#view.rows === undefined || rows === undefined || ready === undefined) return undefined;
    const interrupt = (nodeId: number): void => pending.interrupt(nodeId);
    const parts = { descriptor, rows: this.#view.rows, ready, nodes: rows.nodes, filesRead, interrupt };
    this.#stores = new ContentStores(parts);
    return this.#stores;
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
        for (const { nodeId, lookups } of body.forgets) this.#forget(nodeId, lookups);
      } else if (body.op === "interrupt") this.pending.answerNow(body.unique, errno.EINTR);
      else if (body.op === "read" && this.#readNow(header, body)) return;
      else if (!abi.silentOpcodes.has(header.opcode)) this.#serve({ header, body });
    } catch (error) {
      this.#options.logger.error(
        { err: error, opcode: header?.opcode },
        "the kernel sent an unreadable request",
      );
      if (header !== undefined && !abi.silentOpcodes.has(header.opcode))
        this.#send(header.unique, errno.EINVAL);
    }
  }

  #forget(nodeId: number, lookups: number): void {
    if (RowSession.owns(nodeId)) this.rows?.forget(nodeId, lookups);
    else {
      this.objects.nodes.forget(nodeId, lookups);
      if (this.objects.nodes.get(nodeId) !== undefined) return;
    }
    this.filesRead.delete(nodeId);
  }

  #serve(request: Request): void {
    const { unique } = request.header;
    const pending = this.pending.prepare(request);
    if (pending === undefined) return;
    let answer: Soon<Answer>;
    try {
      answer = this.#answer(request, pending);
    } catch (error) {
      answer = this.#failure(request, error, pending);
    }
    if (answer instanceof Promise) {
      this.pending.begin(unique, pending);
      void this.#serveLater(request, answer, pending);
    } else this.#sendAnswer(unique, answer);
    this.#stores?.replied();
  }

  async #serveLater(request: Request, later: Promise<Answer>, pending: Pending): Promise<void> {
    const { unique } = request.header;
    let answer: Answer;
    try {
      answer = await later;
    } catch (error) {
      answer = this.#failure(request, error, pending);
    }
    if (!pending.answered) this.#sendAnswer(unique, answer);
    this.#stores?.replied();
    this.pending.end(unique);
  }

  #answer(request: Request, pending: Pending): Soon<Answer> {
    const { header, body } = request;
    if (body.op === "init") {
      this.#agreed = agree(body.flags, body.minor, enforcesAcls(this.#options.allowOther));
      return initReply(this.#agreed, body, this.#options.readAheadBytes);
    }
    if (body.op === "destroy") return undefined;
    if (body.op === "statfs") return this.#statfs();
    if (this.#options.xattrs === false && (body.op === "getxattr" || body.op === "listxattr")) {
      return errno.ENOSYS;
    }
    if (body.op === "read") this.filesRead.add(header.nodeId);
    if (RowSession.owns(header.nodeId)) return this.#answerRow(request, pending);
    const entry = this.objects.entry(header.nodeId);
    switch (body.op) {
      case "lookup": {
        const directory = this.rows?.directoryOf(entry.node);
        if (directory !== undefined) return this.rows?.lookup(directory, body.name, pending);
        return this.objects.lookup(entry, body.name, pending);
      }
      case "readdir": {
        const directory = this.rows?.directoryOf(entry.node);
        if (directory !== undefined) return this.rows?.list(directory, body, pending);
        return this.objects.list(entry, body, pending);
      }
      case "getattr":
        return this.objects.attributes(entry);
      default:
        return this.#answerAbout(entry, request, pending);
    }
  }

  /** Answers about a row, from memory where that is possible. */
  #answerRow(request: Request, pending: Pending): Soon<Answer> {
    const { header, body } = request;
    const { rows } = this;
    if (rows === undefined) return errno.ESTALE;
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
        if (body.op === "getxattr") {
          return rows.unsupported(header.nodeId, body.name, this.#agreed) ? errno.EOPNOTSUPP : ENOATTR;
        }
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
        if (this.#agreed.zeroMessageOpen) return errno.ENOSYS;
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache : 0);
      case "opendir":
        if (this.#agreed.zeroMessageOpendir) return errno.ENOSYS;
        return reply.openReply(entry.node.immutable ? abi.OpenFlag.keepCache | abi.OpenFlag.cacheDir : 0);
      case "read":
        return this.#read(entry, body.offset, Math.min(body.size, REPLY_BYTES_MAX), pending);
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
        return errno.EROFS;
      case "ioctl":
        return errno.ENOTTY;
      default:
        // ENOSYS also tells the kernel not to ask again (FLUSH, FSYNC, POLL, locks, STATX).
        return errno.ENOSYS;
    }
  }

  /** Answers a read from memory. */
  #readNow({ nodeId, unique }: RequestHeader, { offset, size }: { offset: bigint; size: number }): boolean {
    if (this.pending.stopped) return false;
    const node = RowSession.owns(nodeId) ? this.rows?.nodeNow(nodeId) : this.objects.nodeNow(nodeId);
    if (node === undefined) return false;
    const pieces = this.#view.piecesNow(node, offset, Math.min(size, REPLY_BYTES_MAX));
    if (pieces === undefined) return false;
    this.filesRead.add(nodeId);
    this.#send(unique, 0, pieces);
    return true;
  }

  async #read(entry: Known, offset: bigint, size: number, pending: Pending): Promise<Answer> {
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
      const { nodeId } = request.header;
      const inode = this.rows?.inodeOf(nodeId) ?? this.objects.nodes.get(nodeId)?.node.attributes.inode;
      this.#failures.tell(error, request.body, inode);
    }
    return status;
  }

  #sendAnswer(unique: number, answer: Answer): void {
    if (typeof answer === "number") this.#send(unique, answer);
    else this.#send(unique, 0, answer);
  }

  #send(unique: number, status: number, answer?: Uint8Array | readonly Uint8Array[]): void {
    const refused = this.#channel?.reply(unique, status, answer);
    if (refused === undefined) return;
    const error = new HoldfastError(ErrorCode.internal, `the kernel refused a reply (${refused})`);
    this.#options.logger.error({ err: error }, "a reply to the kernel was malformed");
    if (status === 0) this.#channel?.reply(unique, errno.EIO);
  }
}
