// Gives memory back to the system when a drive was left alone for a moment. V8 and malloc do so by themselves, but late or never: after a
// `tar` of 50,000 files 33 MiB of V8's 100 were in use.

import { bindProcess } from "../../agent/platform/libc.ts";
import { usesLibc } from "../../agent/platform/select.ts";
import { Lull } from "../../fs/view/lull.ts";
import type { OpenPool } from "../../fs/view/openPool.ts";
import type { PlaintextCaches } from "../../fs/view/recordOpener.ts";

/**
 * What a view counts its work with. In a pause memory that waits to be used again is let go, garbage is collected, all of it, and malloc's
 * heap is trimmed. Collecting takes a tenth of a second, and needs `--expose-gc`: bin/holdfast sets it for processes that do nothing but
 * a drive. Trimming needs koffi and glibc. Whoever makes it stops it.
 */
export function driveLull({ spare }: PlaintextCaches, pool: OpenPool): Lull {
  const trim = mallocTrim();
  return new Lull(() => {
    spare.clear();
    pool.rest();
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
    trim?.(0);
  });
}

/** Gives the system what malloc keeps for later but for so many bytes, where there is such a function. */
export function mallocTrim(): ((keptBytes: number) => number) | undefined {
  if (!usesLibc()) return undefined;
  try {
    return bindProcess({ malloc_trim: ["int", "uint64"] }).malloc_trim;
  } catch {
    return undefined; // musl has none
  }
}
