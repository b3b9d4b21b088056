// `--seeding`: a first backup into a box, increments while it is on its way, and its import beside rsync and sha256sum of the same files.

import { createWriteStream, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Corpus } from "../corpus/corpus.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure } from "../measure/programs.ts";
import { type Box, boxVault, prepareBox } from "../peers/box.ts";
import { ACCOUNT, holdfast, program } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import { seededNoise } from "../random.ts";
import type { Scale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";

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
      await fill(context, datacentre, scale, join(home, "content"));
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
  { samples, say, caches }: Context,
  { tree }: Corpus,
  { plain, datacentre }: Gateways,
  run: number,
): Promise<void> {
  const turns = [
    { row: "seed-plain", what: "a gateway", repository: plain },
    { row: "seed-first", what: "a box", repository: datacentre },
  ];
  for (const { row, what, repository } of run % 2 === 0 ? turns : turns.toReversed()) {
    prepareCaches(caches, [tree]);
    const { step } = await narrated(say, `first backup to ${what}`, () => repository.backup(tree));
    samples.addStep(row, PeerName.holdfast, step);
  }
}

/** So much that the import is about its rate and nothing else. The content goes as soon as it is on the box. */
async function fill(
  { say }: Context,
  datacentre: HoldfastRepository,
  { seedBytes }: Scale,
  content: string,
): Promise<void> {
  mkdirSync(content);
  await pipeline(Readable.from(noiseOf(seedBytes)), createWriteStream(join(content, "random")));
  await narrated(say, `${seedBytes} random bytes to the box`, () => datacentre.backup(content));
  rmSync(content, { recursive: true });
}

function* noiseOf(bytes: number): Generator<Buffer> {
  const noise = seededNoise("seeding");
  const piece = 2 ** 20;
  for (let left = bytes; left > 0; left -= piece) yield noise(Math.min(piece, left));
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
  const lists = join(box.data, "seed", basename(boxVault(box)));
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
  { samples, say, caches }: Context,
  datacentre: HoldfastRepository,
  box: Box,
  row: string,
): Promise<void> {
  const packs = packsOf(box);
  const bytes = bytesBelow(packs);
  const copy = `${box.data}-copy`;
  prepareCaches(caches, [packs]);
  const copied = await narrated(say, `${row}: rsync and sha256sum`, async () => {
    const rsync = await measure({ command: "rsync", args: ["-a", `${packs}/`, copy], role: "rsync" });
    const hash = 'find "$1" -type f -print0 | xargs -0 sha256sum > /dev/null';
    const sums = await measure({ command: "sh", args: ["-c", hash, "sh", packs], role: "sha256sum" });
    for (const step of [rsync, sums]) samples.addUsage(row, "source", step);
    return rsync.seconds + sums.seconds;
  });
  samples.add(row, "source", bytes / copied);
  rmSync(copy, { recursive: true });
  prepareCaches(caches, [packs]);
  const step = await narrated(say, `${row}: ${bytes} bytes, holdfast`, () =>
    datacentre.admin("seed", "import", box.data),
  );
  samples.add(row, PeerName.holdfast, bytes / step.seconds);
  samples.addUsage(row, PeerName.holdfast, step);
}

const packsOf = (box: Box): string => join(boxVault(box), "packs");

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}
