// Sources that showed wrong credentials lately, right or wrong by accident or not: their new connections are paced.
//
// Invariants: a strike is forgiven every `forgiveMs`; a source with more than `strikesFree` is suspect. At most `sourcesMax` are remembered; those
// that struck longest ago are forgotten first.

import { networkOf } from "./loginThrottle.ts";

const strikesFree = 20;
const strikesMax = 40;
const forgiveMs = 3000;
const sourcesMax = 10_000;

type Strikes = { readonly count: number; readonly atMs: number };

export class Suspects {
  readonly #sources = new Map<string, Strikes>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** A wrong credential came from there. */
  strike(address: string): void {
    const source = networkOf(address);
    const count = Math.min(strikesMax, this.#left(source) + 1);
    this.#sources.delete(source);
    this.#sources.set(source, { count, atMs: this.#monotonicMs() });
    for (const oldest of this.#sources.keys()) {
      if (this.#sources.size <= sourcesMax) break;
      this.#sources.delete(oldest);
    }
  }

  isSuspect(address: string): boolean {
    return this.#sources.size > 0 && this.#left(networkOf(address)) > strikesFree;
  }

  #left(source: string): number {
    const known = this.#sources.get(source);
    if (known === undefined) return 0;
    return Math.max(0, known.count - (this.#monotonicMs() - known.atMs) / forgiveMs);
  }
}
