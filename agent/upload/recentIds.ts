// Ids that a run has dealt with, the newest of them: bounded, since forgetting one costs a question to the gateway and nothing else.

/** How many are kept. */
export const idsMax = 131_072;

export class RecentIds {
  readonly #keys = new Set<string>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Adds an id (as latin1) and forgets the oldest when they are too many. */
  add(key: string): void {
    this.#keys.add(key);
    if (this.#keys.size <= idsMax) return;
    const oldest = this.#keys.values().next().value;
    if (oldest !== undefined) this.#keys.delete(oldest);
  }
}
