// One walk from file to file through the directories of a snapshot, and how far it is read ahead of its reader.
//
// Small files that are in memory are offered to whoever takes them, in the walk's order. What was taken is not asked for, so some files
// are held back, one after each probe distance: that the reader asks for them tells where it is.
//
// Invariants: positions are bytes of content since the walk began; the walk is ahead of the last file that was asked for by at
// most its window; a file is offered only when all of its chunks are in memory, and none behind one that still may be taken.

import { RecordType } from "../../vault/magic.ts";
import { LeafPage, type Page } from "../../vault/tree/page.ts";
import type { ContentReader } from "./contentReader.ts";
import type { ReadyFile, ReadyPiece } from "./readyFiles.ts";
import type { TreeReader } from "./treeReader.ts";

const MiB = 1024 * 1024;
export const windowBytesMin = MiB;
/** Of a file with extent pages so much is read ahead; from there on its own reader is read ahead of. */
const largeFileBytes = 4 * MiB;
/** Bytes that are gathered before they are asked for. */
const requestBytes = 2 * MiB;
/** Files that a walk knows before and behind its reader: several readers share the files of one walk and come out of order. */
const filesAheadMax = 8192;
const filesBehindMax = 1024;
/** Larger files are read with few requests anyway. */
const offeredBytesMax = 256 * 1024;

/** A directory on the way to where the walk is, and its row that comes next. */
export type Frame = {
  readonly directory: Buffer;
  row: number;
  leaf: { page: LeafPage; first: number } | undefined;
};

type Chunk = { readonly id: Buffer; readonly start: number; readonly length: number };
type WalkedFile = {
  /** How many files came before it. */
  readonly number: number;
  /** Behind it. */
  readonly position: number;
  readonly directory: string;
  readonly row: number;
  readonly size: number;
  /** Where its content is; undefined for a file that is not offered. */
  readonly chunks: readonly Chunk[] | undefined;
};

export type WalkParts = {
  readonly tree: TreeReader;
  readonly content: ContentReader;
  readonly windowMax: number;
  readonly frames: Frame[];
  readonly take: (file: Omit<ReadyFile, "tree">) => boolean;
};

export class ContentWalk {
  readonly #parts: WalkParts;
  readonly #frames: Frame[];
  /** Files that were passed, in the order of the walk. */
  readonly #files = new Map<string, WalkedFile>();
  /** Directories that the walk has entered, and how many files it had passed then. */
  readonly #entered = new Map<string, number>();
  /** Those of them that are to be offered; the ones before #offered were. */
  #offers: WalkedFile[] = [];
  #offered = 0;
  /** Position up to which the reader has come for certain, and the number of the file behind it. */
  #read = 0;
  #reached = 0;
  #ahead = 0;
  #passed = 0;
  /** How many of the files that were passed had their chunks asked for. */
  #asked = 0;
  #held = 0;
  #running = false;
  #ended = false;
  #lastChunk = "";
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;

  constructor(parts: WalkParts) {
    this.#parts = parts;
    this.#frames = parts.frames;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#ended = true;
  }

  /** Notes that a file is read now. False: it is none of this walk's. */
  advance(file: string): boolean {
    const known = this.#files.get(file);
    if (known === undefined) return false;
    if (known.number >= this.#reached) {
      this.#read = known.position;
      this.#reached = known.number + 1;
      this.#forgetBehind();
      this.#offer();
    }
    if (!this.#ended && this.#ahead - this.#read < this.#window / 2) void this.#run();
    return true;
  }

  /** A directory was listed by somebody who takes files. What comes before it in the walk is behind the reader, or is passed over. */
  listed(directory: string): void {
    const first = this.#entered.get(directory) ?? 0;
    while ((this.#offers[this.#offered]?.number ?? first) < first) this.#offered++;
    this.#offer();
  }

  /** Twice what was used of this walk so far: who goes on gets more. */
  get #window(): number {
    return Math.min(this.#parts.windowMax, Math.max(windowBytesMin, 2 * this.#read));
  }

  #forgetBehind(): void {
    for (const [directory, number] of this.#entered) {
      if (number >= this.#reached) break;
      this.#entered.delete(directory);
    }
    for (const [key, { number }] of this.#files) {
      if (number + filesBehindMax >= this.#reached) return;
      this.#files.delete(key);
    }
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (
        !this.#ended &&
        this.#ahead - this.#read < this.#window &&
        this.#passed - this.#reached < filesAheadMax
      ) {
        const frame = this.#frames.at(-1);
        if (frame === undefined) this.#ended = true;
        else if (!(await this.#leafOf(frame))) this.#frames.pop();
        else this.#step(frame);
      }
    } catch {
      this.#ended = true;
    } finally {
      this.#ask();
      this.#running = false;
    }
  }

  /** Has the leaf page with the frame's row at hand; false past the end. */
  async #leafOf(frame: Frame): Promise<boolean> {
    if (frame.leaf !== undefined && frame.row < frame.leaf.first + frame.leaf.page.rowCount) return true;
    frame.leaf = undefined;
    const { tree } = this.#parts;
    const page: Page | undefined = tree.pageNow(frame.directory);
    if (page instanceof LeafPage) frame.leaf = { page, first: 0 };
    else {
      for await (const { page: leaf, from, first } of tree.leaves(frame.directory, frame.row)) {
        frame.leaf = { page: leaf, first: first - from };
        break;
      }
    }
    return frame.leaf !== undefined && frame.row < frame.leaf.first + frame.leaf.page.rowCount;
  }

  /** Takes the frame's row and goes on behind it, or below it. */
  #step(frame: Frame): void {
    const { page, first } = frame.leaf as { page: LeafPage; first: number };
    const row = frame.row++;
    const { child, content, size } = page.entry(row - first);
    if (child !== undefined) {
      const directory = Buffer.from(page.ref(child.ordinal).id);
      this.#enter(keyOf(directory));
      this.#frames.push({ directory, row: 0, leaf: undefined });
      return;
    }
    if (content === undefined || size === undefined || size === 0) return;
    const directory = keyOf(frame.directory);
    let chunks: Chunk[] | undefined;
    if (content.form === "pages") {
      const { id, plainLength } = page.ref(content.ordinal);
      const whole = { form: "pages" as const, id: Buffer.from(id), plainLength };
      this.#ahead += Math.min(size, largeFileBytes);
      this.#parts.content.readAhead(whole, size, 0, largeFileBytes).catch(() => undefined);
    } else {
      chunks = [];
      for (const extent of content.extents) {
        if (extent.hole) {
          chunks = undefined;
          continue;
        }
        const { id, plainLength } = page.ref(extent.ordinal);
        const chunk = keyOf(id);
        chunks?.push({ id: Buffer.from(id), start: extent.offset, length: extent.length });
        // Files of one bundle follow each other.
        if (chunk === this.#lastChunk) continue;
        this.#lastChunk = chunk;
        this.#ahead += plainLength;
        this.#gathered.push(Buffer.from(id));
        this.#gatheredBytes += plainLength;
      }
    }
    const bytes = chunks?.reduce((sum, { length }) => sum + length, 0);
    if (bytes !== size) chunks = undefined;

    this.#note({ number: this.#passed++, position: this.#ahead, directory, row, size, chunks });
    if (this.#gatheredBytes >= requestBytes) this.#ask();
  }

  #enter(directory: string): void {
    const known = this.#entered.get(directory);
    if (known !== undefined && known >= this.#reached) return;
    this.#entered.delete(directory);
    this.#entered.set(directory, this.#passed);
  }

  #note(file: WalkedFile): void {
    const key = fileKey(file.directory, file.row);
    const known = this.#files.get(key);
    // Two directories that are the same have one id: what is read is the one that comes first, until it was read.
    if (known === undefined || known.number < this.#reached) {
      this.#files.delete(key);
      this.#files.set(key, file);
    }
    const held = file.position - this.#held >= this.#parts.windowMax / probesPerWindow;
    if (held || file.chunks === undefined || file.size > offeredBytesMax) this.#held = file.position;
    else this.#offers.push(file);
  }

  #ask(): void {
    this.#asked = this.#passed;
    this.#parts.tree.opener.prefetch(this.#gathered, RecordType.data, () => this.#offer());
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#offer();
  }

  /** Offers what is in memory, as far as it is wanted. */
  #offer(): void {
    for (let file = this.#offers[this.#offered]; file !== undefined; file = this.#offers[this.#offered]) {
      if (file.number >= this.#reached) {
        const pieces = this.#piecesOf(file);
        if (pieces === "coming") break;
        const { directory, row, size } = file;
        if (pieces !== undefined && !this.#parts.take({ directory, row, size, pieces })) break;
      }
      this.#offered++;
    }
    if (this.#offered < offersKept) return;
    this.#offers = this.#offers.slice(this.#offered);
    this.#offered = 0;
  }

  /** Undefined where a chunk of the file is no longer, or will not be, in memory. */
  #piecesOf(file: WalkedFile): ReadyPiece[] | "coming" | undefined {
    const { opener } = this.#parts.tree;
    const pieces: ReadyPiece[] = [];
    for (const { id, start, length } of file.chunks ?? []) {
      const record = opener.opened(id, RecordType.data);
      if (record === undefined) {
        return file.number >= this.#asked || opener.isComing(id, RecordType.data) ? "coming" : undefined;
      }
      if (start + length > record.plaintext.length) return undefined;
      pieces.push({ record, start, length });
    }
    return pieces;
  }
}

/** Of the files of a window so many are held back. */
const probesPerWindow = 32;
const offersKept = 1024;

export const keyOf = (id: Uint8Array): string =>
  Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1");
export const fileKey = (directory: string, row: number): string => `${directory}${row}`;
