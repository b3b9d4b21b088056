// `--upkeep`: what a gateway does beside its users' work for years: prune and garbage collection, a backup beside that, scrub, and an index of
// very many chunks.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Corpus } from "../corpus/corpus.ts";
import { prepareCaches } from "../measure/caches.ts";
import { sha256sumBelow } from "../measure/sha256sum.ts";
import { bytesBelow } from "../measure/size.ts";
import { holdfast, onlyVault } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import type { UpkeepScale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";
import { lastFigures, measureIndex } from "./indexCase.ts";
import { backUpNoise } from "./noise.ts";
import { besideCollection, pruneCase } from "./prune.ts";

export const UpkeepPhase = {
  /** Half of the snapshots removed and collected, and a backup beside a collection. */
  prune: "prune",
  scrub: "scrub",
  /** Garbage collection in a large synthetic index. */
  index: "index",
} as const;
export type UpkeepPhase = (typeof UpkeepPhase)[keyof typeof UpkeepPhase];

const column = PeerName.holdfast;

/** Free bytes wanted below --dir. */
export function upkeepFreeBytes(scale: UpkeepScale, phases: ReadonlySet<UpkeepPhase>): number {
  return scale.freeBytes + (phases.has(UpkeepPhase.index) ? scale.chunks * scale.freeBytesPerChunk : 0);
}

/** One run of the chosen phases, from empty repositories. */
export async function upkeepRun(
  context: Context,
  corpus: Corpus,
  scale: UpkeepScale,
  phases: ReadonlySet<UpkeepPhase>,
  run: number,
): Promise<void> {
  const home = join(context.dir, "run");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  if (phases.has(UpkeepPhase.prune) || phases.has(UpkeepPhase.scrub)) {
    const gateway = await holdfast.create(join(home, column));
    try {
      if (phases.has(UpkeepPhase.prune)) {
        await pruneCase(context, corpus, scale, { gateway, home, run });
        await besideCollection(context, corpus, scale, gateway);
      }
      if (phases.has(UpkeepPhase.scrub)) await scrubCase(context, gateway, scale, join(home, "content"));
    } finally {
      await gateway.close();
    }
  }
  if (phases.has(UpkeepPhase.index)) await measureIndex(context, scale.chunks, gcIndexRows, "--gc");
  corpus.revert();
  rmSync(home, { recursive: true, force: true });
}

/** Field of indexBench.ts's last line to the row it fills. */
const gcIndexRows = {
  bytesPerChunk: "gc-index-bytes",
  lookupsPerSecond: "gc-index-lookups",
  markedRefsPerSecond: "gc-index-mark",
  gcSeconds: "gc-index-time",
  gcAnonymousBytesPeak: "gc-index-memory",
  gcHeldSecondsMax: "gc-index-held",
} as const;

/** All closed packs, by sha256sum first; one that is open is nowhere in it. */
async function scrubCase(
  context: Context,
  gateway: HoldfastRepository,
  { scrubBytes }: UpkeepScale,
  content: string,
): Promise<void> {
  const { samples, say, caches } = context;
  await backUpNoise(context, gateway, scrubBytes, content);
  const packs = join(onlyVault(gateway), "packs");
  prepareCaches(caches, [packs], context.dir);
  const bytes = bytesBelow(packs);
  const sums = await narrated(say, `sha256sum of ${bytes} bytes of packs`, () => sha256sumBelow(packs));
  samples.add("scrub", "source", bytes / sums.seconds);
  samples.addUsage("scrub", "source", sums);
  prepareCaches(caches, [packs], context.dir);
  const step = await narrated(say, "the same, scrubbed", () =>
    gateway.admin("gateway", "scrub", "--from-start", "--json"),
  );
  const done = lastFigures(step, "gateway scrub --json", ["bytes"]);
  samples.add("scrub", column, done.bytes / step.seconds);
  samples.addReported("scrub", column, { scrubbed_bytes: done.bytes, pack_bytes: bytes });
  samples.addUsage("scrub", column, step);
}
