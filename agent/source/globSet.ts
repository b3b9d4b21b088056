// Many globs at once, followed from folder to folder.
//
// The segments of all globs lie one after another; a state is the set of places where a next name could go on. A folder's
// state is worked out once and shared by all its entries, so that an entry costs a look at its own name and never at its
// whole path. States are immutable. No state is larger than the number of segments: no blow-up is possible.

import type { Glob } from "./glob.ts";
import { matchName, type NameMatcher, type NameUnderTest } from "./globName.ts";

/** The places that are live in a folder. */
export type GlobState = readonly number[];

type Place = {
  /** Undefined for `**`. */
  readonly matcher: NameMatcher | undefined;
  readonly last: boolean;
  readonly foldersOnly: boolean;
  /** The places that become live when this one is entered: itself, and what follows a `**` that stands for nothing. */
  readonly entered: readonly number[];
};

export class GlobSet {
  /** The state of the root, before any name. */
  readonly start: GlobState;
  readonly #places: readonly Place[];
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(globs: readonly Glob[]) {
    const places: Place[] = [];
    const start: number[] = [];
    for (const { segments, foldersOnly } of globs) {
      const first = places.length;
      segments.forEach((segment, index) => {
        const here = first + index;
        const last = index === segments.length - 1;
        const matcher = segment.kind === "name" ? segment.matcher : undefined;
        // `**` never stands twice in a row, so one step past it is enough.
        places.push({
          matcher,
          last,
          foldersOnly,
          entered: matcher === undefined && !last ? [here, here + 1] : [here],
        });
      });
      start.push(...(places[first] as Place).entered);
    }
    this.#places = places;
    this.#seen = new Uint32Array(places.length);
    this.start = start;
  }

  get empty(): boolean {
    return this.#places.length === 0;
  }

  /** True where some glob ends with this name. */
  matches(state: GlobState, name: NameUnderTest, isFolder: boolean): boolean {
    for (const index of state) {
      const place = this.#places[index] as Place;
      if (!place.last || (place.foldersOnly && !isFolder)) continue;
      if (place.matcher === undefined || matchName(place.matcher, name)) return true;
    }
    return false;
  }

  /** The state inside the folder of this name; empty where no glob can match anything below. */
  enter(state: GlobState, name: NameUnderTest): GlobState {
    const round = ++this.#round;
    const next: number[] = [];
    const add = (index: number) => {
      for (const entered of (this.#places[index] as Place).entered) {
        if (this.#seen[entered] === round) continue;
        this.#seen[entered] = round;
        next.push(entered);
      }
    };
    for (const index of state) {
      const { matcher, last } = this.#places[index] as Place;
      if (matcher === undefined) add(index);
      else if (!last && matchName(matcher, name)) add(index + 1);
    }
    // Most folders change nothing: keeping the parent's array keeps memory flat.
    return next.length === state.length && next.every((place, index) => place === state[index])
      ? state
      : next;
  }
}
