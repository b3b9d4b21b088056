// `--seeding`: a first backup into a box, increments while it is on its way, and its import beside rsync and sha256sum of the same files.

import { mkdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Corpus } from "../corpus/corpus.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure } from "../measure/programs.ts";
import { sha256sumBelow } from "../measure/sha256sum.ts";
import { bytesBelow } from "../measure/size.ts";
import { type Box, prepareBox } from "../peers/box.ts";
import { ACCOUNT, holdfast, onlyVault, program } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import type { Scale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";
import { backUpNoise } from "./noise.ts";

export const SeedingPhase = {
  /** First backup, increments while the box is on its way, and its import. */
  large: "large",
  /** The import of a box of many small packs. */
  small: "small",
} as const;
export type SeedingPhase = (typeof SeedingPhase)[keyof typeof SeedingPhase];

/** One run of the chosen phases, from empty gateways. */
export async function seedingRun(
  context: Context,
  corpus: Corpus,
  scale: Scale,
  phases: ReadonlySet<SeedingPhase>,
  run: number,
): Promise<void> {
  const home = join(context.dir, "run");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const datacentre = await holdfast.create(join(home, PeerName.holdfast));
  try {
    if (phases.has(SeedingPhase.large)) await largeBox(context, corpus, scale, { home, datacentre, run });
    if (phases.has(SeedingPhase.small)) await smallPacks(context, datacentre, scale, join(home, "small"));
  } finally {
    await datacentre.close();
  }
  rmSync(home, { recursive: true, force: true });
}

async function largeBox(
  context: Context,
  corpus: Corpus,
  scale: Scale,
  { home, datacentre, run }: { home: string; datacentre: HoldfastRepository; run: number },
): Promise<void> {
  corpus.revert();
  const dir = join(home, "large");
  mkdirSync(dir);
  const plain = await holdfast.create(join(home, "plain"));
  try {
    const box = await prepareBox(datacentre, ACCOUNT, dir);
    await box.start();
    try {
      await measureFirst(context, corpus, { plain, datacentre }, run);
      // So much that the import is about its rate and nothing else.
      await backUpNoise(context, datacentre, scale.seedBytes, join(home, "content"));
    } finally {
      await box.stop();
    }
    await measureJourney(context, corpus, { plain, datacentre }, box);
  } finally {
    await plain.close();
  }
  rmSync(dir, { recursive: true });
}

type Gateways = { readonly plain: HoldfastRepository; readonly datacentre: HoldfastRepository };

async function measureFirst(
  { samples, say, caches, dir }: Context,
  { tree }: Corpus,
  { plain, datacentre }: Gateways,
  run: number,
): Promise<void> {
  const turns = [
    { row: "seed-plain", what: "a gateway", repository: plain },
    { row: "seed-first", what: "a box", repository: datacentre },
  ];
  for (const { row, what, repository } of run % 2 === 0 ? turns : turns.toReversed()) {
    prepareCaches(caches, [tree], dir);
    const { step } = await narrated(say, `first backup to ${what}`, () => repository.backup(tree));
    samples.addStep(row, PeerName.holdfast, step);
  }
}

async function measureJourney(
  context: Context,
  corpus: Corpus,
  { plain, datacentre }: Gateways,
  box: Box,
): Promise<void> {
  const { samples, say } = context;
  const packs = packsOf(box);
  const { step, chunks } = await narrated(say, "sealing", () => box.seal());
  samples.add("seed-seal", PeerName.holdfast, bytesBelow(packs) / step.seconds);
  samples.addUsage("seed-seal", PeerName.holdfast, step);
  const lists = join(box.data, "seed", basename(onlyVault(box)));
  samples.add("seed-promise", PeerName.holdfast, statSync(join(lists, "chunks")).size / chunks);
  corpus.editTree();
  const before = await narrated(say, "increment, to a gateway that has all", () => plain.backup(corpus.tree));
  samples.add("seed-edits-plain", PeerName.holdfast, before.addedBytes);
  const during = await narrated(say, "increment, while the box is on its way", () =>
    datacentre.backup(corpus.tree),
  );
  samples.add("seed-edits", PeerName.holdfast, during.addedBytes);
  await measureImport(context, datacentre, box, "seed-imported");
}

/** Packs of a few records each: what costs is each pack and record, not the bytes. */
async function smallPacks(
  context: Context,
  datacentre: HoldfastRepository,
  { seedPacks }: Scale,
  dir: string,
): Promise<void> {
  mkdirSync(dir);
  const box = await prepareBox(datacentre, ACCOUNT, dir);
  const maker = new URL("./smallPacks.ts", import.meta.url).pathname;
  await narrated(context.say, `${seedPacks} small packs`, () =>
    measure({
      ...program("maker", dir),
      command: process.execPath,
      args: [maker, box.data, box.passphrase, String(seedPacks)],
    }),
  );
  await box.seal();
  await measureImport(context, datacentre, box, "seed-imported-small");
}

/** The copy goes before the import begins: the disk need not hold the packs three times. */
async function measureImport(
  { samples, say, caches, dir }: Context,
  datacentre: HoldfastRepository,
  box: Box,
  row: string,
): Promise<void> {
  const packs = packsOf(box);
  const bytes = bytesBelow(packs);
  const copy = `${box.data}-copy`;
  prepareCaches(caches, [packs], dir);
  const copied = await narrated(say, `${row}: rsync and sha256sum`, async () => {
    const rsync = await measure({ command: "rsync", args: ["-a", `${packs}/`, copy], role: "rsync" });
    const sums = await sha256sumBelow(packs);
    for (const step of [rsync, sums]) samples.addUsage(row, "source", step);
    return rsync.seconds + sums.seconds;
  });
  samples.add(row, "source", bytes / copied);
  rmSync(copy, { recursive: true });
  prepareCaches(caches, [packs], dir);
  const step = await narrated(say, `${row}: ${bytes} bytes, holdfast`, () =>
    datacentre.admin("seed", "import", box.data),
  );
  samples.add(row, PeerName.holdfast, bytes / step.seconds);
  samples.addUsage(row, PeerName.holdfast, step);
}

const packsOf = (box: Box): string => join(onlyVault(box), "packs");
