// The command line of the benchmark.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { SeedingPhase } from "./cases/seeding.ts";
import { Phase } from "./cases/standard.ts";
import { UpkeepPhase } from "./cases/upkeep.ts";
import { BenchFailure } from "./failure.ts";
import type { CacheState } from "./measure/caches.ts";
import { PeerName } from "./peers/peer.ts";

export const usage = `npm run bench -- [--runs N] [--dir DIR] [--json FILE] [--peers LIST] [--phases LIST] [--cold] [--large | --offsite | --seeding | --fleet | --upkeep] [--tiny] [--check]

  --runs N        how often everything is done (default: 5; 1 with --tiny and all of --large to --upkeep)
  --dir DIR       where corpus and repositories are made; the corpus stays for the next time (default: ${join(tmpdir(), "holdfast-bench")})
  --json FILE     also write the report as JSON
  --peers LIST    of ${Object.values(PeerName).join(",")} (default: all; --large: holdfast; --offsite, --upkeep: holdfast,restic; --seeding, --fleet: holdfast)
  --phases LIST   of ${Object.values(Phase).join(",")} (default: all); with --seeding of ${Object.values(SeedingPhase).join(",")}, with --upkeep of ${Object.values(UpkeepPhase).join(",")}
  --cold          drop the kernel's caches before every step (root only)
  --large         a million files, a 20 GiB sparse file and ten million chunks instead
  --offsite       replicas in a real S3 server on this machine, and what was evicted to them, instead
  --seeding       a box: first backup into it, increments while it is on its way, its import, instead
  --fleet         50 agents at once, and a backup beside wrong logins, instead
  --upkeep        half of 200 snapshots removed and collected, a backup beside that, a scrub, and an index of 100 million chunks, instead
  --snapshots N   of --upkeep (default: 200)
  --chunks N      of the index of --upkeep (default: 100 million)
  --tiny          a few hundred files: shows that everything works, its figures mean nothing
  --check         exit status 1 when a goal is missed
  --seed TEXT     chooses which files and places are edited (default: holdfast)
  --mount-cache N bytes of cache the Holdfast mount is configured to keep, on top of its memory goal (default: 80 MiB, its own)`;

/** Which cases are run. */
export type Mode = "standard" | "large" | "offsite" | "seeding" | "fleet" | "upkeep";

export type Options = {
  readonly runs: number | undefined;
  readonly dir: string;
  readonly json: string | undefined;
  readonly peers: readonly PeerName[] | undefined;
  readonly phases: ReadonlySet<Phase>;
  readonly seedingPhases: ReadonlySet<SeedingPhase>;
  readonly upkeepPhases: ReadonlySet<UpkeepPhase>;
  /** Of --upkeep, where they are not as its scale says. */
  readonly snapshots: number | undefined;
  readonly chunks: number | undefined;
  readonly caches: CacheState;
  readonly mode: Mode;
  readonly tiny: boolean;
  readonly check: boolean;
  readonly seed: string;
  readonly mountCacheBytes: number;
};

/** Reads the arguments after the program's name; undefined when help is asked for. Throws BenchFailure on a wrong one. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const modes = (["large", "offsite", "seeding", "fleet", "upkeep"] as const).filter((mode) => values[mode]);
  if (modes.length > 1) throw new BenchFailure(`--${modes.join(" and --")} are ${modes.length} runs`);
  return {
    runs: values.runs === undefined ? undefined : wholeNumber("--runs", values.runs, 1),
    dir: resolve(values.dir),
    json: values.json === undefined ? undefined : resolve(values.json),
    peers: values.peers === undefined ? undefined : listOf("--peers", values.peers, Object.values(PeerName)),
    phases: phasesOf(values.seeding || values.upkeep ? undefined : values.phases, Object.values(Phase)),
    seedingPhases: phasesOf(values.seeding ? values.phases : undefined, Object.values(SeedingPhase)),
    upkeepPhases: phasesOf(values.upkeep ? values.phases : undefined, Object.values(UpkeepPhase)),
    snapshots: values.snapshots === undefined ? undefined : wholeNumber("--snapshots", values.snapshots, 4),
    chunks: values.chunks === undefined ? undefined : wholeNumber("--chunks", values.chunks, 20_000),
    caches: values.cold ? "cold" : "warm",
    mode: modes[0] ?? "standard",
    tiny: values.tiny,
    check: values.check,
    seed: values.seed,
    mountCacheBytes: wholeNumber("--mount-cache", values["mount-cache"], 0),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        runs: { type: "string" },
        dir: { type: "string", default: join(tmpdir(), "holdfast-bench") },
        json: { type: "string" },
        peers: { type: "string" },
        phases: { type: "string" },
        cold: { type: "boolean", default: false },
        large: { type: "boolean", default: false },
        offsite: { type: "boolean", default: false },
        seeding: { type: "boolean", default: false },
        fleet: { type: "boolean", default: false },
        upkeep: { type: "boolean", default: false },
        snapshots: { type: "string" },
        chunks: { type: "string" },
        tiny: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        seed: { type: "string", default: "holdfast" },
        "mount-cache": { type: "string", default: String(80 * 2 ** 20) },
        help: { type: "boolean", default: false, short: "h" },
      },
    }).values;
  } catch (error) {
    throw new BenchFailure(`${(error as Error).message}\n${usage}`);
  }
}

function wholeNumber(flag: string, text: string, atLeast: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < atLeast) {
    throw new BenchFailure(`${flag} takes a whole number from ${atLeast} up, not "${text}"`);
  }
  return value;
}

function phasesOf<T extends string>(text: string | undefined, known: readonly T[]): ReadonlySet<T> {
  return new Set(text === undefined ? known : listOf("--phases", text, known));
}

function listOf<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  return text.split(",").map((word) => {
    const found = known.find((name) => name === word);
    if (found === undefined) throw new BenchFailure(`${flag}: "${word}" is none of ${known.join(", ")}`);
    return found;
  });
}
