// What a seed draws.

import type { Random } from "../fidelity/random.ts";

/** One of them; undefined where there is none. */
export function pick<T>(random: Random, from: readonly T[]): T | undefined {
  return from.length === 0 ? undefined : from[random.below(from.length)];
}

/** So many of them at most, and newer ones rather than older ones. */
export function pickNewer<T>(random: Random, from: readonly T[], most: number): T[] {
  const some = new Set<T>();
  for (let n = random.below(most) + 1; n > 0 && from.length > 0; n--) {
    const back = random.below(random.below(3) === 0 ? from.length : Math.min(20, from.length));
    some.add(from[from.length - 1 - back] as T);
  }
  return [...some];
}
