// What uploads were told that they need not send: it lives as long as their leases. And, while a cycle of garbage collection is open, what
// anything that is stored rests on (docs/concurrency.md, "Garbage collection").
//
// A set of bits for each generation: one begins with each cycle. A set goes when no lease is left that began in its generation or before it, or
// all of those were silent for two generations: what such a lease uploaded stays by its row, what it was told it asks for again.
// Memory: a bit for each ordinal in each of `setsMax` sets at most; the oldest two become one.

import { OrdinalSet } from "../index/ordinalSet.ts";

const setsMax = 4;

type Generation = { readonly generation: number; readonly ordinals: OrdinalSet };
type LeaseUse = { readonly began: number; lastUsed: number };

export class Pins {
  /** The oldest generation first; the last one is that of now. */
  #sets: Generation[] = [{ generation: 0, ordinals: new OrdinalSet() }];
  readonly #leases = new Map<string, LeaseUse>();
  #watch: ((ordinal: number) => void) | undefined;

  get #current(): Generation {
    return this.#sets[this.#sets.length - 1] as Generation;
  }

  /** An upload was told that a record is here, or its copy took over the ordinal of another. */
  told(ordinal: number): void {
    if (this.#current.ordinals.add(ordinal)) this.#watch?.(ordinal);
  }

  /** A record is stored, or something that is rests on it: a cycle that is open has to know, later ones see it by what is stored. */
  rests(ordinal: number): void {
    this.#watch?.(ordinal);
  }

  /** A session begins with an item's lease; one that takes over (`resumed`) rests on what the one before was told. */
  began(item: string, resumed: boolean): void {
    const { generation } = this.#current;
    const began = resumed ? (this.#leases.get(item)?.began ?? 0) : generation;
    this.#leases.set(item, { began, lastUsed: generation });
  }

  /** A session of the item's lease asked for something. One that this process did not begin may rest on anything it was told here. */
  used(item: string): void {
    const { generation } = this.#current;
    const lease = this.#leases.get(item);
    if (lease === undefined) this.#leases.set(item, { began: 0, lastUsed: generation });
    else lease.lastUsed = generation;
  }

  /** What leases that are open may rest on, of what was told so far. `open`: their items. */
  resting(open: ReadonlySet<string>): readonly OrdinalSet[] {
    const generation = this.#current.generation + 1;
    const counting = [...this.#leases].filter(
      ([item, { lastUsed }]) => open.has(item) && lastUsed >= generation - 2,
    );
    const oldest = Math.min(generation, ...counting.map(([, { began }]) => began));
    // A set that became one with an older one bears the newer one's number.
    return this.#sets.filter((set) => set.generation >= oldest).map(({ ordinals }) => ordinals);
  }

  /** A cycle begins: as `resting`; the rest is forgotten. What is told, stored or rested on from now on comes to `watch`. */
  open(open: ReadonlySet<string>, watch: (ordinal: number) => void): readonly OrdinalSet[] {
    const generation = this.#current.generation + 1;
    const pinned = this.resting(open);
    this.#sets = this.#sets.filter(({ ordinals }) => pinned.includes(ordinals));
    for (const item of this.#leases.keys()) if (!open.has(item)) this.#leases.delete(item);
    this.#sets.push({ generation, ordinals: new OrdinalSet() });
    while (this.#sets.length > setsMax) {
      const [first, second] = this.#sets.splice(0, 2) as [Generation, Generation];
      first.ordinals.addAll(second.ordinals);
      this.#sets.unshift({ generation: second.generation, ordinals: first.ordinals });
    }
    this.#watch = watch;
    return pinned;
  }

  /** The cycle has ended, or its set is in force. */
  close(): void {
    this.#watch = undefined;
  }
}
