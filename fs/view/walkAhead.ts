// Reads the pages of directories that a walk (find, tar, a file manager's search) will list next, many with one request.
//
// Whoever lists a directory gets its subdirectories read ahead. When those are listed too, it is a walk, and the window grows. The plan
// is kept in the order of a walk that goes deep first: what a page that arrives has below it stands right behind it, and
// what comes first is read first.
// Invariants: the plan has each id once and is at most planMax long; at most windowMax of its places are asked for, and with all but the
// last of them less than aheadBytesMax. Failures show to whoever opens the page, never here.

import { LeafPage } from "../../vault/tree/page.ts";
import { type PageRef, subdirectories } from "./subdirectories.ts";
import type { TreeReader } from "./treeReader.ts";

const windowMin = 16;
const windowMax = 512;
/** Opening a page takes 0.1 ms: who waits for the first of a wave should not wait for many. */
const waveMax = 32;
const aheadBytesMax = 2 * 1024 * 1024;
/** What is farther away is planned when it is listed. */
const planMax = 8192;
/** A place that was passed by is given up after so many directories. */
const patience = 1024;

type Place = {
  readonly id: string;
  readonly ref: PageRef;
  /** How many directories had been listed when this one was asked for. */
  askedAt: number | undefined;
  before: Place | undefined;
  after: Place | undefined;
};

export class WalkAhead {
  readonly #tree: TreeReader;
  readonly #places = new Map<string, Place>();
  #first: Place | undefined;
  #last: Place | undefined;
  #asked = 0;
  #askedBytes = 0;
  #listed = 0;
  /** The last subdirectory in the page that was listed last. */
  #end: Place | undefined;
  #window = windowMin;
  #reading = false;

  constructor(tree: TreeReader) {
    this.#tree = tree;
  }

  /** A walker came to a leaf page of a directory; `directory`: to its first one, below the root page with this id. */
  listed(page: LeafPage, directory?: Uint8Array): void {
    if (directory === undefined) {
      // A walk comes to these when it is through with those of the page before.
      this.#end = this.#plan(page, this.#end && this.#places.get(this.#end.id));
      return;
    }
    this.#listed++;
    const place = this.#places.get(key(directory));
    if (place === undefined) {
      this.#window = Math.max(windowMin, this.#window / 2);
      this.#end = this.#plan(page, undefined);
      this.#read();
      return;
    }
    this.#window = Math.min(windowMax, this.#window * 2);
    const late = place.askedAt === undefined;
    this.#end = this.#plan(page, place);
    this.#remove(place);
    // Half a window at a time, so that requests stay few.
    if (late || this.#asked < this.#window / 2) this.#read();
  }

  /** Puts the subdirectories in a page behind a place, or first. Returns the last place of them. */
  #plan(page: LeafPage, behind: Place | undefined): Place | undefined {
    let last = behind;
    for (const ref of subdirectories(page)) {
      const id = key(ref.id);
      if (this.#places.has(id)) continue;
      const after = last === undefined ? this.#first : last.after;
      const place: Place = { id, ref, askedAt: undefined, before: last, after };
      if (last === undefined) this.#first = place;
      else last.after = place;
      if (after === undefined) this.#last = place;
      else after.before = place;
      this.#places.set(id, place);
      last = place;
    }
    while (this.#places.size > planMax && this.#last !== undefined) this.#remove(this.#last);
    return last;
  }

  #remove(place: Place): void {
    if (!this.#places.delete(place.id)) return;
    if (place.before === undefined) this.#first = place.after;
    else place.before.after = place.after;
    if (place.after === undefined) this.#last = place.before;
    else place.after.before = place.before;
    this.#unask(place);
  }

  #unask(place: Place): void {
    if (place.askedAt === undefined) return;
    place.askedAt = undefined;
    this.#asked--;
    this.#askedBytes -= place.ref.plainLength;
  }

  /** Makes room for a place that comes sooner: what was asked for last in the plan is planned again. */
  #giveUpLast(before: Place): boolean {
    for (let place = this.#last; place !== undefined && place !== before; place = place.before) {
      if (place.askedAt === undefined) continue;
      this.#unask(place);
      return true;
    }
    return false;
  }

  /** Asks for the next wave. A quarter of the window, so that what is below the first comes before their far siblings. */
  #read(): void {
    if (this.#reading) return;
    const wave: Place[] = [];
    const most = Math.min(waveMax, Math.max(windowMin, this.#window / 4));
    let next: Place | undefined;
    for (let place = this.#first; place !== undefined && wave.length < most; place = next) {
      next = place.after;
      if (place.askedAt === undefined) {
        if (this.#isFull() && !this.#giveUpLast(place)) break;
        place.askedAt = this.#listed;
        this.#asked++;
        this.#askedBytes += place.ref.plainLength;
        wave.push(place);
      } else if (this.#listed - place.askedAt > patience) this.#remove(place);
    }
    if (wave.length === 0) return;
    this.#reading = true;
    void Promise.allSettled(wave.map(({ ref }) => this.#tree.page(ref.id))).then((pages) => {
      this.#reading = false;
      for (const [index, page] of pages.entries()) {
        const place = wave[index] as Place;
        if (page.status === "rejected") this.#remove(place);
        else if (page.value instanceof LeafPage && this.#places.get(place.id) === place) {
          this.#plan(page.value, place);
        }
      }
      if (!this.#isFull()) this.#read();
    });
  }

  #isFull(): boolean {
    return this.#asked >= this.#window || this.#askedBytes >= aheadBytesMax;
  }
}

const key = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString("latin1");
