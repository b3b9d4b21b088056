// Half of an item's snapshots removed and their room given back, beside restic's way of doing so; and a backup while garbage is collected.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Corpus } from "../corpus/corpus.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { type Measurement, type Program, startService, untilReady } from "../measure/programs.ts";
import { ACCOUNT } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName, type Repository } from "../peers/peer.ts";
import { type ResticRepository, restic } from "../peers/restic.ts";
import type { UpkeepScale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";
import { lastFigures } from "./indexCase.ts";

const column = PeerName.holdfast;
const COLLECTING = fileURLToPath(new URL("./collecting.ts", import.meta.url));
/** The guard looks at snapshots after their commits, and what it has not looked at stays. */
const guardPatienceMs = 120_000;

type Places = { readonly gateway: HoldfastRepository; readonly home: string; readonly run: number };

/** Both programs back the same edits up, and remove the older half of their snapshots. */
export async function pruneCase(
  context: Context,
  corpus: Corpus,
  { snapshots, edits }: UpkeepScale,
  { gateway, home, run }: Places,
): Promise<void> {
  const { peers, say, caches } = context;
  const other = peers.some(({ name }) => name === PeerName.restic)
    ? await restic.create(join(home, PeerName.restic))
    : undefined;
  corpus.revert();
  await narrated(say, `${snapshots} snapshots of ${corpus.files} files`, async () => {
    for (let step = 0; step < snapshots; step++) {
      if (step > 0) corpus.editSome(step, edits);
      for (const repository of [gateway, other]) await repository?.backup(corpus.tree);
    }
  });
  const kept = snapshots - Math.floor(snapshots / 2);
  await keepLast(gateway, kept, snapshots - kept);
  const turns = [
    () => freed(context, column, gateway, () => pruneAndCollect(context, gateway, snapshots - kept)),
    () => other && freed(context, PeerName.restic, other, () => forgotten(other, kept)),
  ];
  for (const turn of run % 2 === 0 ? turns : turns.toReversed()) {
    prepareCaches(caches, [], context.dir);
    await narrated(say, "half of them removed", async () => await turn());
  }
}

async function freed(
  { samples }: Context,
  name: PeerName,
  repository: Repository,
  work: () => Promise<Measurement[]>,
): Promise<void> {
  const before = repository.storedBytes();
  const steps = await work();
  const after = repository.storedBytes();
  samples.add(
    "prune",
    name,
    steps.reduce((sum, { seconds }) => sum + seconds, 0),
  );
  for (const step of steps) samples.addUsage("prune", name, step);
  samples.add("prune-freed", name, before - after);
  samples.add("prune-stored", name, after);
}

const forgotten = async (repository: ResticRepository, kept: number): Promise<Measurement[]> => [
  await repository.forget(kept),
];

async function pruneAndCollect(
  { samples }: Context,
  gateway: HoldfastRepository,
  going: number,
): Promise<Measurement[]> {
  const prune = await gateway.admin("gateway", "prune", "--json");
  const gc = await gateway.admin("gateway", "gc", "--json");
  const done = lastFigures(gc, "gateway gc --json", [
    ...(["snapshots", "records", "freed_bytes", "copied_bytes", "removed_packs", "repacked_packs"] as const),
  ]);
  if (done.snapshots !== going) throw new BenchFailure(`${done.snapshots} snapshots left, not ${going}`);
  samples.addReported("prune", column, done);
  return [prune, gc];
}

/** Sets the policy, without any time in the trash, and waits until so many snapshots could go. */
async function keepLast(gateway: HoldfastRepository, kept: number, going: number): Promise<void> {
  await gateway.admin("retention", "set", ACCOUNT, "--last", String(kept), "--trash", "0s");
  const deadline = performance.now() + guardPatienceMs;
  for (;;) {
    const step = await gateway.admin("gateway", "prune", "--dry-run", "--json");
    const { trashed } = lastFigures(step, "gateway prune --json", ["trashed"]);
    if (trashed === going) return;
    if (performance.now() > deadline) throw new BenchFailure(`${trashed} snapshots would go, not ${going}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * First backups of the tree by devices with groups of their own: alone, and while half of the snapshots that are left are collected. The collection
 * is begun again whenever it ends before the backup does.
 */
export async function besideCollection(
  { samples, say, caches, dir }: Context,
  corpus: Corpus,
  { snapshots }: UpkeepScale,
  gateway: HoldfastRepository,
): Promise<void> {
  const devices = {
    quiet: await gateway.enrollAnother("quiet", "isolated"),
    gc: await gateway.enrollAnother("gc", "isolated"),
  };
  for (const how of ["quiet", "gc"] as const) {
    prepareCaches(caches, [corpus.tree], dir);
    const collecting = how === "gc" ? await collectAgainAndAgain(gateway, snapshots) : undefined;
    try {
      const { step } = await narrated(say, `first backup, ${how}`, () => devices[how].backup(corpus.tree));
      samples.add(`beside-${how}`, column, corpus.bytes / step.seconds);
      samples.addUsage(`beside-${how}`, column, step);
      if (collecting !== undefined) samples.addReported("beside-gc", column, collecting.figures());
    } finally {
      await collecting?.stop();
    }
  }
}

async function collectAgainAndAgain(gateway: HoldfastRepository, snapshots: number) {
  const left = snapshots - Math.floor(snapshots / 2);
  const going = Math.floor(left / 2);
  await keepLast(gateway, left - going, going);
  await gateway.admin("gateway", "prune", "--json");
  const collecting: Program = {
    ...{ command: process.execPath, args: [COLLECTING, gateway.data], role: "collecting" },
  };
  const service = startService(collecting);
  await untilReady(collecting, service, () => service.output().includes("ready"));
  return {
    stop: service.stop,
    figures: (): Record<string, number> => {
      if (service.hasEnded()) throw new BenchFailure(`the collection ended: ${service.output()}`);
      const ended = service
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line) as { records: number; freed_bytes: number; copied_bytes: number });
      const sum = (of: (each: (typeof ended)[number]) => number): number =>
        ended.reduce((total, each) => total + of(each), 0);
      return {
        gc_runs_ended: ended.length,
        gc_records: sum(({ records }) => records),
        gc_freed_bytes: sum(({ freed_bytes }) => freed_bytes),
        gc_copied_bytes: sum(({ copied_bytes }) => copied_bytes),
      };
    },
  };
}
