// Who is next for the one thread that works logins out.
//
// Invariants
// - At most `placesMax` wait. Sources take turns; within a source, first come, first served.
// - A known source goes before all others, and no other pushes it out.
// - When all places are taken, a newcomer gets the place of whoever waits behind most others of its own source, else that of a random one of those
//   that are not known; that may be itself. So no order of arrival keeps a newcomer out for ever.

import { randomInt } from "node:crypto";

export type Source = {
  /** Who is one source: an address or network. */
  readonly name: string;
  /** It gave the right password before. */
  readonly known: boolean;
};

const placesMaxDefault = 64;

export class HashQueue<Job> {
  readonly #known = new Map<string, Job[]>();
  readonly #others = new Map<string, Job[]>();
  readonly #placesMax: number;
  readonly #random: (below: number) => number;

  constructor(placesMax = placesMaxDefault, random: (below: number) => number = randomInt) {
    this.#placesMax = placesMax;
    this.#random = random;
  }

  get size(): number {
    return count(this.#known) + count(this.#others);
  }

  /** Lets a job wait. Answers the job that has to go for it, which may be this one. */
  push(job: Job, { name, known }: Source): Job | undefined {
    const lane = known ? this.#known : this.#others;
    const full = this.size >= this.#placesMax;
    const waiting = lane.get(name) ?? [];
    if (!full) {
      lane.set(name, [...waiting, job]);
      return undefined;
    }
    const victim = known ? this.#longest()?.[0] : this.#victimFor(waiting.length);
    if (victim === undefined) return job;
    const out = this.#drop(victim);
    lane.set(name, [...(lane.get(name) ?? []), job]);
    return out;
  }

  /** The job whose turn it is, of known sources only where asked so. */
  shift(knownOnly = false): Job | undefined {
    for (const lane of knownOnly ? [this.#known] : [this.#known, this.#others]) {
      const [first] = lane;
      if (first === undefined) continue;
      const [name, [job, ...rest]] = first;
      lane.delete(name);
      if (rest.length > 0) lane.set(name, rest);
      return job;
    }
    return undefined;
  }

  #longest(): [string, Job[]] | undefined {
    let longest: [string, Job[]] | undefined;
    for (const each of this.#others)
      if (longest === undefined || each[1].length > longest[1].length) longest = each;
    return longest;
  }

  /** The source that gives a place to a newcomer of which `own` wait already; undefined: the newcomer itself goes. */
  #victimFor(own: number): string | undefined {
    const longest = this.#longest();
    if (longest !== undefined && longest[1].length > Math.max(1, own)) return longest[0];
    let left = this.#random(count(this.#others) + 1);
    for (const [name, { length }] of this.#others) {
      if (left < length) return name;
      left -= length;
    }
    return undefined;
  }

  #drop(name: string): Job | undefined {
    const waiting = this.#others.get(name) ?? [];
    const out = waiting.at(-1);
    if (waiting.length > 1) this.#others.set(name, waiting.slice(0, -1));
    else this.#others.delete(name);
    return out;
  }
}

function count<Job>(lane: ReadonlyMap<string, readonly Job[]>): number {
  let sum = 0;
  for (const { length } of lane.values()) sum += length;
  return sum;
}
