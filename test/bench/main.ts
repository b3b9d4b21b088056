// npm run bench: measures Holdfast beside restic and borg. docs/benchmarks.md says what each row means.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "../builtProgram.ts";
import { variable } from "../programWords.ts";
import type { Context } from "./cases/context.ts";
import { fleetRun } from "./cases/fleet.ts";
import { largeRun } from "./cases/large.ts";
import { offsiteRun } from "./cases/offsite.ts";
import { seedingRun } from "./cases/seeding.ts";
import { restoredFolder, standardRun } from "./cases/standard.ts";
import { upkeepFreeBytes, upkeepRun } from "./cases/upkeep.ts";
import { type Corpus, prepareCorpus } from "./corpus/corpus.ts";
import { evaluate } from "./evaluate.ts";
import { BenchFailure } from "./failure.ts";
import { fleetRows } from "./fleetRows.ts";
import { claimFolder } from "./folder.ts";
import { endEverything } from "./lifetimes.ts";
import { checkFreeSpace, describeMachine } from "./machine.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { borg } from "./peers/borg.ts";
import { holdfast } from "./peers/holdfast.ts";
import { installPeers } from "./peers/install.ts";
import { type Peer, type PeerDescription, PeerName } from "./peers/peer.ts";
import { describeRclone } from "./peers/rcloneS3.ts";
import { restic } from "./peers/restic.ts";
import { canServeS3, clearS3Server } from "./peers/s3Server.ts";
import { type Report, renderReport, summarizeUsage } from "./report/report.ts";
import { largeRows, offsiteRows, type RowDefinition, seedingRows, standardRows } from "./rows.ts";
import { type Column, collectSamples, type Samples } from "./samples.ts";
import { fullScale, largeScale, tinyLargeScale, tinyScale, type UpkeepScale } from "./scale.ts";
import { upkeepRows } from "./upkeepRows.ts";

const allPeers: readonly Peer[] = [holdfast, restic, borg];
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (options.caches === "cold" && process.getuid?.() !== 0) throw new BenchFailure("--cold needs root");
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  process.once("exit", claimFolder(options.dir));
  clearS3Server(options.dir);
  if (process.env[variable] === undefined) {
    say("building Holdfast as it is shipped");
    process.env[variable] = join(options.dir, "program");
    await buildProgram(process.env[variable]);
  }
  const report = await runAll(options);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`${renderReport(report)}\n`);
  const missed = report.rows.filter((row) => row.verdict === "fail");
  if (missed.length > 0) say(`goals missed: ${missed.map((row) => row.id).join(", ")}`);
  return options.check && missed.length > 0 ? 1 : 0;
}

async function runAll(options: Options): Promise<Report> {
  const scale = options.tiny ? tinyScale : fullScale;
  const upkeep: UpkeepScale = {
    ...scale.upkeep,
    ...(options.snapshots !== undefined && { snapshots: options.snapshots }),
    ...(options.chunks !== undefined && { chunks: options.chunks }),
  };
  const bigScale = options.tiny ? tinyLargeScale : largeScale;
  const started = new Date().toISOString();
  const peers = choosePeers(options);
  const described: Partial<Record<Column, PeerDescription>> = {};
  for (const peer of peers) described[peer.name] = peer.describe() ?? { version: "unknown", flags: [] };
  if (options.mode === "offsite") described.rclone = describeRclone();
  const runs = options.runs ?? (options.mode === "standard" ? scale.runs : 1);
  const freeBytes = {
    large: bigScale.freeBytes,
    offsite: scale.offsiteFreeBytes,
    fleet: scale.fleetFreeBytes,
    upkeep: upkeepFreeBytes(upkeep, options.upkeepPhases),
    seeding: options.seedingPhases.has("large") ? scale.seedFreeBytes : scale.seedSmallFreeBytes,
    standard: scale.freeBytes + runs * peers.length * scale.restoredBytes,
  };
  checkFreeSpace(options.dir, freeBytes[options.mode]);
  const samples = collectSamples();
  const context: Context = { dir: options.dir, peers, caches: options.caches, samples, say };

  let input: Record<string, number>;
  if (options.mode === "large") {
    for (let run = 0; run < runs; run++) await largeRun(context, bigScale, options.seed);
    input = { files: bigScale.files, sparse_bytes: bigScale.sparseBytes, chunks: bigScale.indexChunks };
  } else {
    const corpus = prepareCorpus(options.dir, scale, options.seed, say);
    say(`corpus: ${corpus.files} files, ${corpus.bytes} bytes; image: ${corpus.imageBytes} bytes`);
    rmSync(restoredFolder(options.dir), { recursive: true, force: true });
    for (let run = 0; run < runs; run++) {
      if (options.mode === "offsite") await offsiteRun(context, corpus, run);
      else if (options.mode === "fleet") await fleetRun(context, corpus, scale);
      else if (options.mode === "upkeep") await upkeepRun(context, corpus, upkeep, options.upkeepPhases, run);
      else if (options.mode === "seeding")
        await seedingRun(context, corpus, scale, options.seedingPhases, run);
      else await standardRun(context, corpus, options.phases, run);
    }
    rmSync(restoredFolder(options.dir), { recursive: true, force: true });
    input = describeInput(corpus, scale);
    if (options.mode === "upkeep") {
      const { snapshots, edits, scrubBytes, chunks } = upkeep;
      input = { ...input, edited_files: edits, snapshots, scrub_bytes: scrubBytes, chunks };
    }
  }
  addMemoryRows(samples);
  return {
    schema: 1,
    mode: `${options.mode}${options.tiny ? " (tiny: figures mean nothing)" : ""}`,
    started,
    seed: options.seed,
    runs,
    caches: options.caches,
    machine: describeMachine(options.dir),
    input,
    peers: described,
    rows: evaluate(rowsOf(options), samples),
    ...summarizeUsage(samples),
  };
}

function rowsOf({ mode, mountCacheBytes }: Options): readonly RowDefinition[] {
  if (mode === "large") return largeRows;
  if (mode === "seeding") return seedingRows;
  if (mode === "fleet") return fleetRows;
  if (mode === "upkeep") return upkeepRows;
  return mode === "offsite" ? offsiteRows : standardRows(mountCacheBytes);
}

function describeInput(corpus: Corpus, scale: typeof fullScale): Record<string, number> {
  return {
    files: corpus.files,
    bytes: corpus.bytes,
    entries: corpus.entries,
    edited_files: scale.editedFiles,
    image_bytes: scale.imageBytes,
    image_edits: scale.imageEdits,
    image_edit_bytes: scale.imageEditBytes,
  };
}

/** The bound on memory is for every step, so the worst step of all runs is what counts. */
function addMemoryRows(samples: Samples): void {
  for (const role of ["agent", "gateway"]) {
    const peaks = samples
      .usages()
      .filter((series) => series.column === PeerName.holdfast && series.role === role)
      .flatMap((series) => series.usages.map((one) => one.peakMemory));
    if (peaks.length > 0) samples.add(`${role}-memory`, PeerName.holdfast, Math.max(...peaks));
  }
}

// A tiny run takes what is there; a real one wants all that were asked for.
function choosePeers(options: Options): Peer[] {
  const usual = {
    large: [PeerName.holdfast],
    offsite: [PeerName.holdfast, PeerName.restic],
    seeding: [PeerName.holdfast],
    fleet: [PeerName.holdfast],
    upkeep: [PeerName.holdfast, PeerName.restic],
    standard: Object.values(PeerName),
  };
  const names = options.peers ?? usual[options.mode];
  const wanted = allPeers.filter((peer) => names.includes(peer.name));
  const missing = (): Peer[] =>
    wanted.filter((peer) => peer.name !== PeerName.holdfast && peer.describe() === undefined);
  const wantsServer = options.mode === "offsite" && !canServeS3();
  if (!options.tiny && (missing().length > 0 || wantsServer)) installPeers(say, options.mode);
  if (wantsServer && !canServeS3())
    throw new BenchFailure("--offsite needs radosgw, ceph-mon, ceph-osd, ceph and rclone");
  const present = wanted.filter((peer) => peer.describe() !== undefined);
  for (const peer of wanted)
    if (!present.includes(peer)) say(`${peer.name} is not there, or cannot mount; its columns stay empty`);
  if (present.length === 0 && options.mode !== "large")
    throw new BenchFailure("there is no program to measure");
  return present;
}

for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const) {
  process.on(signal, () => process.exit(128 + number));
}
// Before the folder is given back, which main registers later: what still runs or is mounted there must go first.
process.on("exit", endEverything);

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof BenchFailure)) throw error;
  say(`bench: ${error.message}`);
  process.exitCode = 1;
}
