// Answers about nodes that are rows of directories in snapshots: from memory, in the turn in which the kernel asks.
//
// Invariants: a lookup is counted only in the turn in which its reply is made, so what is counted is also sent; an answer that comes as a
// promise has memory of its own, one that comes at once lies in memory that the next answer uses again.

import { constants } from "node:os";
import { keepNewest } from "../../view/newest.ts";
import type { FoundRow, RowDirectory, RowRun, RowSource, Soon } from "../../view/rows.ts";
import { emptyRowStat } from "../../view/rows.ts";
import type { ViewNode } from "../../view/view.ts";
import { errnoFailure } from "../errno.ts";
import * as abi from "./abi.ts";
import { PlainFolders } from "./plainFolders.ts";
import { direntBytes, negativeEntry, type Ownership } from "./reply.ts";
import { ROW_NODE_ID_MIN, RowNodes } from "./rowNodes.ts";
import { ReplyMemory, rowAttrReply, writeNoEntry, writeRowDirent, writeRowEntry } from "./rowReply.ts";

const { errno } = constants;
/** Nodes that were read last are kept as objects: a view ties to them how far they were read. */
const NODES_KEPT = 4096;
const DIRECTORIES_KEPT = 256;
/** Names of one hard-linked file share a node, and so the kernel's page cache, if they are met among so many others. */
const LINKS_KEPT = 65_536;
const DOTS = 2;

type Answer = Uint8Array | undefined;
/** Whether the kernel still waits for the answer. */
export type Waiting = { readonly answered: boolean };
export type ListRequest = { readonly offset: number; readonly size: number; readonly plus: boolean };

/** Called when an answer tells the kernel of a directory's first rows, so many of them. */
type Told = (directory: RowDirectory, rows: number) => void;

export class RowSession {
  readonly nodes = new RowNodes();
  readonly #rows: RowSource;
  readonly #seconds: number;
  readonly #owner: Ownership;
  readonly #told: Told;
  readonly #plain: PlainFolders;
  readonly #memory = new ReplyMemory();
  readonly #stat = emptyRowStat();
  readonly #kept = new Map<number, ViewNode>();
  readonly #directories = new Map<number, RowDirectory>();
  readonly #links = new Map<bigint, number>();
  /** The rows that were asked for last, and the block of node ids that they were found with: neighbours come next. */
  #lastRun: RowRun | undefined;
  #lastBlock = -1;
  /** Behind the rows of the last answer to a listing; 0 where it had none. */
  #nextRow = 0;

  /** @param seconds how long the kernel may keep names and attributes */
  constructor(rows: RowSource, seconds: number, owner: Ownership, told: Told) {
    this.#told = told;
    this.#rows = rows;
    this.#plain = new PlainFolders(rows);
    this.#seconds = seconds;
    this.#owner = owner;
  }

  /** Whether a node id is one of ours. */
  static owns(nodeId: number): boolean {
    return nodeId >= ROW_NODE_ID_MIN;
  }

  /**
   * Lets go of all that was read: a vault was locked. Its nodes get other ids when they are looked up again, since their trees are others
   * then. Returns the blocks of ids that are closed now.
   */
  close(): ReturnType<RowNodes["blocksOf"]> {
    this.#lastRun = undefined;
    this.#lastBlock = -1;
    this.#kept.clear();
    this.#directories.clear();
    this.#links.clear();
    this.#plain.clear();
    return this.nodes.blocksOf((tree) => this.#rows.isClosed(tree));
  }

  forget(nodeId: number, lookups: number): void {
    this.nodes.forget(nodeId, lookups);
    this.#kept.delete(nodeId);
    this.#directories.delete(nodeId);
  }

  /** The inode number of a node that was used lately, for the log. */
  inodeOf(nodeId: number): bigint | undefined {
    return this.#kept.get(nodeId)?.attributes.inode;
  }

  /** A node of the view as a directory of rows; undefined where only the view can list it. */
  directoryOf(node: ViewNode): RowDirectory | undefined {
    return this.#rows.directoryOf(node);
  }

  /** Goes on with one of our nodes as a directory. @throws ESTALE, ENOTDIR */
  below(nodeId: number, go: (directory: RowDirectory) => Soon<Answer>): Soon<Answer> {
    const directory = this.#directory(nodeId);
    if (!(directory instanceof Promise)) return go(directory);
    return directory.then((later) => {
      const given = go(later);
      return given instanceof Promise ? given : given && Buffer.from(given);
    });
  }

  #directory(nodeId: number): Soon<RowDirectory> {
    const known = this.#directories.get(nodeId);
    if (known !== undefined) return known;
    return soon(this.#row(nodeId), ({ run, row }) => {
      const found = run.directory(row);
      if (found === undefined) throw errnoFailure(errno.ENOTDIR);
      // Ids are views of pages.
      const { place } = found;
      const directory: RowDirectory = {
        ...found,
        id: Buffer.from(found.id),
        ...(place && { place: { directory: Buffer.from(place.directory), row: place.row } }),
      };
      keepNewest(this.#directories, nodeId, directory, DIRECTORIES_KEPT);
      return directory;
    });
  }

  /** One of our nodes as a node of the view. @throws ESTALE */
  node(nodeId: number): Soon<ViewNode> {
    const known = this.#kept.get(nodeId);
    if (known !== undefined) return known;
    return soon(this.#row(nodeId), ({ run, row }) => {
      const node = run.node(row);
      keepNewest(this.#kept, nodeId, node, NODES_KEPT);
      return node;
    });
  }

  /** The same, if it is in memory and may be answered about. */
  nodeNow(nodeId: number): ViewNode | undefined {
    try {
      const node = this.node(nodeId);
      if (!(node instanceof Promise)) return node;
      node.catch(() => undefined); // whoever asks for it otherwise hears of it
    } catch {
      // as above
    }
    return undefined;
  }

  attributes(nodeId: number): Soon<Answer> {
    return answer(this.#row(nodeId), ({ run, row }) => {
      run.stat(row, this.#stat);
      return rowAttrReply(this.#memory, this.#stat, this.#seconds, this.#owner);
    });
  }

  /** False where a node certainly has no extended attributes. */
  hasXattrs(nodeId: number): Soon<boolean> {
    return soon(this.#row(nodeId), ({ run, row }) => run.hasXattrs(row));
  }

  /** Whether to answer about a node without attributes that there are none here at all; see PlainFolders. */
  unsupported(nodeId: number, name: string, kernelUses: { readonly acls: boolean }): boolean {
    const folder = (): RowDirectory => this.nodes.directoryOf(nodeId);
    return this.#plain.unsupported(name, this.nodes.blockOf(nodeId), folder, kernelUses);
  }

  lookup(directory: RowDirectory, name: Uint8Array, waiting: Waiting): Soon<Answer> {
    return answer(this.#rows.find(directory, name), (found) => {
      if (waiting.answered) return undefined;
      if (found === undefined) return negativeEntry(this.#seconds);
      found.run.stat(found.row, this.#stat);
      const nodeId = this.#handOut(directory, found.row);
      if (nodeId === 0) throw errnoFailure(errno.ENFILE);
      writeRowEntry(this.#memory, 0, nodeId, this.#stat, this.#seconds, this.#owner);
      return this.#memory.bytes.subarray(0, abi.ENTRY_OUT_BYTES);
    });
  }

  /** READDIR and READDIRPLUS. The offset of row N is N + 2; 0 and 1 are "." and "..". */
  list(directory: RowDirectory, asked: ListRequest, waiting: Waiting): Soon<Answer> {
    const first = this.#rows.run(directory, Math.max(0, asked.offset - DOTS), true);
    return answer(first, (run) => {
      if (waiting.answered) return undefined;
      const bytes = this.#listed(directory, asked, run);
      if (asked.plus && this.#nextRow > 0) this.#told(directory, this.#nextRow);
      return bytes;
    });
  }

  #listed(directory: RowDirectory, { offset, size, plus }: ListRequest, first: RowRun | undefined): Answer {
    const limit = Math.min(size, abi.MAX_PAGES * abi.PAGE_BYTES);
    const stat = this.#stat;
    const memory = this.#memory;
    memory.reserve(limit);
    let at = 0;
    for (let dot = offset; dot < DOTS; dot++) {
      if (at + direntBytes(dot + 1, plus) > limit) return memory.bytes.subarray(0, at);
      at = this.#writeDot(directory, at, dot + 1, plus);
    }
    let run = first;
    this.#nextRow = 0;
    let row = Math.max(0, offset - DOTS);
    while (run !== undefined) {
      for (const end = run.first + run.count; row < end; row++) {
        const nameBytes = run.nameBytes(row);
        if (at + direntBytes(nameBytes, plus) > limit) return memory.bytes.subarray(0, at);
        this.#nextRow = row + 1;
        run.stat(row, stat);
        const next = row + 1 + DOTS;
        if (plus) {
          const nodeId = this.#handOut(directory, row);
          if (nodeId === 0) writeNoEntry(memory, at);
          else writeRowEntry(memory, at, nodeId, stat, this.#seconds, this.#owner);
          at += abi.ENTRY_OUT_BYTES;
        }
        writeRowDirent(memory, at, stat, next, nameBytes);
        run.copyName(row, memory.bytes, at + abi.DIRENT_BYTES);
        at += direntBytes(nameBytes, false);
      }
      const more = this.#runNow(directory, row);
      if (more === "later") break;
      run = more;
    }
    return memory.bytes.subarray(0, at);
  }

  /** What there is goes out first; the rest is on its way by the time the kernel asks for it, or what is wrong with it is told then. */
  #runNow(directory: RowDirectory, row: number): RowRun | undefined | "later" {
    try {
      const run = this.#rows.run(directory, row, true);
      if (!(run instanceof Promise)) return run;
      run.catch(() => undefined);
    } catch {
      // as above
    }
    return "later";
  }

  /** "." or "..", which are never handed out and show the directory's own number. */
  #writeDot(directory: RowDirectory, start: number, length: number, plus: boolean): number {
    let at = start;
    if (plus) {
      writeNoEntry(this.#memory, at);
      at += abi.ENTRY_OUT_BYTES;
    }
    this.#stat.kind = "directory";
    this.#stat.inodeLow = directory.inodeLow;
    this.#stat.inodeHigh = directory.inodeHigh;
    writeRowDirent(this.#memory, at, this.#stat, length, length);
    this.#memory.bytes.fill(0x2e, at + abi.DIRENT_BYTES, at + abi.DIRENT_BYTES + length);
    return at + direntBytes(length, false);
  }

  /** Counts a lookup of a row, whose numbers are in #stat, and returns its node id; 0 when there is none left. */
  #handOut(directory: RowDirectory, row: number): number {
    if (!this.#stat.linked) return this.nodes.remember(directory, row) ?? 0;
    const inode = (BigInt(this.#stat.inodeHigh) << 32n) | BigInt(this.#stat.inodeLow);
    const shared = this.#links.get(inode);
    if (shared !== undefined && this.nodes.rememberAgain(shared)) return shared;
    const nodeId = this.nodes.remember(directory, row);
    if (nodeId !== undefined) keepNewest(this.#links, inode, nodeId, LINKS_KEPT);
    return nodeId ?? 0;
  }

  #row(nodeId: number): Soon<FoundRow> {
    const row = this.nodes.rowOf(nodeId);
    if (row === undefined) throw errnoFailure(errno.ESTALE);
    const last = this.#lastRun;
    const block = this.nodes.blockOf(nodeId);
    if (
      last !== undefined &&
      block === this.#lastBlock &&
      row >= last.first &&
      row < last.first + last.count
    ) {
      return { run: last, row };
    }
    return soon(this.#rows.run(this.nodes.directoryOf(nodeId), row, false), (run) => {
      if (run === undefined) throw errnoFailure(errno.ESTALE);
      this.#lastRun = run;
      this.#lastBlock = block;
      return { run, row };
    });
  }
}

/** Goes on at once, or when the promise is there. */
function soon<T, U>(value: Soon<T>, go: (value: T) => U): Soon<U> {
  return value instanceof Promise ? value.then(go) : go(value);
}

/** The same for answers in memory that is used again. */
function answer<T>(value: Soon<T>, go: (value: T) => Answer): Soon<Answer> {
  if (!(value instanceof Promise)) return go(value);
  return value.then((later) => {
    const bytes = go(later);
    return bytes && Buffer.from(bytes);
  });
}
