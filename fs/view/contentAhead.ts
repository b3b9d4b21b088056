// Reads the content of the files that a walk (tar, cp -r, a virus scanner) will read next, across files and directories.
//
// Whoever reads two neighbours gets what follows them, in the order of a walk that goes deep first, and ever more of it as they go on.
// Small files lie together in chunks in that order, so a cold walk becomes a few large requests.
//
// Invariants: a walk is ahead of its reader by at most its window, which is a quarter of the cache at most, so that what was read
// ahead is still there when it is wanted; failures show to whoever opens the file, never here.

import { RecordType } from "../../vault/magic.ts";
import { LeafPage, type Page } from "../../vault/tree/page.ts";
import type { ContentReader } from "./contentReader.ts";
import { keepNewest } from "./newest.ts";
import type { TreeReader } from "./treeReader.ts";

const MiB = 1024 * 1024;
const windowBytesMin = MiB;
const windowBytesMax = 16 * MiB;
/** Of a file with extent pages so much is read ahead; from there on its own reader is read ahead of. */
const largeFileBytes = 4 * MiB;
/** Bytes that are gathered before they are asked for. */
const requestBytes = 2 * MiB;
const walksMax = 8;
/** Files that a walk knows before and behind its reader: several readers share the files of one walk and come out of order. */
const filesAheadMax = 8192;
const filesBehindMax = 1024;
/** Rows between two files that still are neighbours. */
const nearRows = 64;
const parentsMax = 4096;
const recentMax = 64;

type Place = { readonly directory: Buffer; readonly row: number };
type Frame = { readonly directory: Buffer; row: number; leaf: { page: LeafPage; first: number } | undefined };

/** Follows the walks of one snapshot's readers. */
export class ContentAhead {
  readonly #tree: TreeReader;
  readonly #content: ContentReader;
  readonly #windowMax: number;
  /** Where a directory's page hangs, as it was come by last. */
  readonly #parents = new Map<string, Place>();
  /** Row that was read last, by directory. */
  readonly #recent = new Map<string, number>();
  /** The one that was used last comes last. */
  readonly #walks: Walk[] = [];

  constructor(tree: TreeReader, content: ContentReader) {
    this.#tree = tree;
    this.#content = content;
    this.#windowMax = Math.min(windowBytesMax, Math.floor(tree.opener.dataBytesMax / 4));
  }

  /** Somebody came from row `row` of a directory to the directory whose root page is `child`. */
  entered(child: Uint8Array, directory: Buffer, row: number): void {
    keepNewest(this.#parents, keyOf(child), { directory, row }, parentsMax);
  }

  /** Somebody reads the start of the file in row `row` of a directory, or all of it. */
  reading(directory: Buffer, row: number): void {
    const key = keyOf(directory);
    const file = fileKey(key, row);
    for (let index = this.#walks.length - 1; index >= 0; index--) {
      const walk = this.#walks[index] as Walk;
      if (!walk.advance(file)) continue;
      this.#walks.splice(index, 1);
      this.#walks.push(walk);
      return;
    }
    const near = this.#isNear(key, row);
    keepNewest(this.#recent, key, row, recentMax);
    if (!near || this.#windowMax < windowBytesMin) return;
    if (this.#walks.length === walksMax) this.#walks.shift()?.stop();
    const walk = new Walk(this.#tree, this.#content, this.#windowMax, this.#framesTo(directory, row + 1));
    this.#walks.push(walk);
    walk.start();
  }

  /** Whether a file in the same directory, the one above or one beside it was read shortly before. */
  #isNear(key: string, row: number): boolean {
    const known = this.#recent.get(key);
    if (known !== undefined) return row > known && row - known <= nearRows;
    const parent = this.#parents.get(key);
    if (parent === undefined) return false;
    const above = keyOf(parent.directory);
    if (this.#recent.has(above)) return true;
    for (const recent of this.#recent.keys()) {
      const other = this.#parents.get(recent);
      if (other === undefined || keyOf(other.directory) !== above) continue;
      if (parent.row > other.row && parent.row - other.row <= nearRows) return true;
    }
    return false;
  }

  /** The way from the top to a row, as far as it is known; rows of the directories above are those behind the way. */
  #framesTo(directory: Buffer, row: number): Frame[] {
    const frames: Frame[] = [{ directory, row, leaf: undefined }];
    let key = keyOf(directory);
    for (let depth = 0; depth < 256; depth++) {
      const parent = this.#parents.get(key);
      if (parent === undefined) break;
      frames.unshift({ directory: parent.directory, row: parent.row + 1, leaf: undefined });
      key = keyOf(parent.directory);
    }
    return frames;
  }
}

/** One walk and how far it is ahead of its reader. Positions are bytes of content since the walk began. */
class Walk {
  readonly #tree: TreeReader;
  readonly #content: ContentReader;
  readonly #windowMax: number;
  readonly #frames: Frame[];
  /** Files that were passed, with the position of each; in the order of the walk. */
  readonly #files = new Map<string, number>();
  #read = 0;
  #ahead = 0;
  #filesAhead = 0;
  #running = false;
  #ended = false;
  #lastChunk = "";
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;

  constructor(tree: TreeReader, content: ContentReader, windowMax: number, frames: Frame[]) {
    this.#tree = tree;
    this.#content = content;
    this.#windowMax = windowMax;
    this.#frames = frames;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#ended = true;
  }

  /** Notes that a file is read now. False: it is none of this walk's. */
  advance(file: string): boolean {
    const position = this.#files.get(file);
    if (position === undefined) return false;
    if (position > this.#read) {
      this.#read = position;
      this.#forgetBehind(file);
    }
    if (!this.#ended && this.#ahead - this.#read < this.#window / 2) void this.#run();
    return true;
  }

  /** Twice what was used of this walk so far: who goes on gets more. */
  get #window(): number {
    return Math.min(this.#windowMax, Math.max(windowBytesMin, 2 * this.#read));
  }

  #forgetBehind(file: string): void {
    let behind = 0;
    for (const other of this.#files.keys()) {
      if (other === file) break;
      behind++;
    }
    this.#filesAhead = this.#files.size - behind;
    for (const other of this.#files.keys()) {
      if (behind-- <= filesBehindMax) break;
      this.#files.delete(other);
    }
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#ended && this.#ahead - this.#read < this.#window && this.#filesAhead < filesAheadMax) {
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
    const page: Page | undefined = this.#tree.pageNow(frame.directory);
    if (page instanceof LeafPage) frame.leaf = { page, first: 0 };
    else {
      for await (const { page: leaf, from, first } of this.#tree.leaves(frame.directory, frame.row)) {
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
      this.#frames.push({ directory, row: 0, leaf: undefined });
      return;
    }
    if (content === undefined || size === undefined) return;
    this.#files.set(fileKey(keyOf(frame.directory), row), this.#ahead);
    this.#filesAhead++;
    if (content.form === "pages") {
      const { id, plainLength } = page.ref(content.ordinal);
      const whole = { form: "pages" as const, id: Buffer.from(id), plainLength };
      this.#ahead += Math.min(size, largeFileBytes);
      this.#content.readAhead(whole, size, 0, largeFileBytes).catch(() => undefined);
      return;
    }
    for (const extent of content.extents) {
      if (extent.hole) continue;
      const { id, plainLength } = page.ref(extent.ordinal);
      const chunk = keyOf(id);
      // Files of one bundle follow each other.
      if (chunk === this.#lastChunk) continue;
      this.#lastChunk = chunk;
      this.#ahead += plainLength;
      this.#gathered.push(Buffer.from(id));
      this.#gatheredBytes += plainLength;
    }
    if (this.#gatheredBytes >= requestBytes) this.#ask();
  }

  #ask(): void {
    this.#tree.opener.prefetch(this.#gathered, RecordType.data);
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }
}

const keyOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1");
const fileKey = (directory: string, row: number): string => `${directory}${row}`;
