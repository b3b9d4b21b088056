// restic to a local folder: repository format 2, its default compression (auto: zstd at its default level), its cache
// kept between runs as in real use. Encryption is always on. It syncs every pack file and folder by itself.
//
// Bytes added are the growth of the repository folder: packs, indexes and snapshot files are just what a remote backend
// would be sent, and nothing is rewritten by a backup. (`data_added` of its summary is before compression in the
// versions Debian has, so it goes into the report only.)

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BenchFailure } from "../failure.ts";
import { type Measurement, measure, type Program } from "../measure/programs.ts";
import { sizeOnDisk } from "../measure/size.ts";
import { mountWith } from "./mounting.ts";
import type { Peer, PeerDescription, Repository } from "./peer.ts";
import { versionLine } from "./version.ts";

// `--quiet` spares it the sixty progress lines a second that --json would print. `--no-scan` came with restic 0.15: it
// saves the second walk that only the progress bar needs.
const backupFlags = (version: string): string[] => [
  "--json",
  "--quiet",
  "--compression=auto",
  ...(isAtLeast(version, [0, 15]) ? ["--no-scan"] : []),
];

export type ResticRepository = Repository & {
  /** Removes all snapshots but the newest so many, and frees their room. */
  readonly forget: (keepLast: number) => Promise<Measurement>;
};

export const restic: Omit<Peer, "create"> & {
  readonly create: (dir: string) => Promise<ResticRepository>;
} = {
  name: "restic",
  describe: describeRestic,
  create: createRepository,
};

function describeRestic(): PeerDescription | undefined {
  const version = versionLine("restic", "version");
  if (version === undefined) return undefined;
  return {
    version,
    flags: [
      "restic init --repository-version 2 (local folder)",
      `restic backup ${backupFlags(version).join(" ")} (cache kept between runs)`,
      "restic restore SNAPSHOT --target DIR",
      "restic mount POINT",
      "restic forget --quiet --keep-last N --prune (its default --max-unused; rows of prune)",
    ],
  };
}

/** Whether a version line such as "restic 0.14.0 compiled ..." is of this version or a later one. */
export function isAtLeast(versionText: string, wanted: readonly [number, number]): boolean {
  const found = /(\d+)\.(\d+)/.exec(versionText);
  if (found === null) return false;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}

/** One backup into a new repository in an S3 bucket. `env`: keys of the bucket. */
export async function backupToS3(
  dir: string,
  url: string,
  env: Readonly<Record<string, string>>,
  source: string,
): Promise<Measurement> {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "password"), "correct horse battery staple\n", { mode: 0o600 });
  const all = {
    ...env,
    RESTIC_REPOSITORY: `s3:${url}`,
    RESTIC_PASSWORD_FILE: join(dir, "password"),
    RESTIC_CACHE_DIR: join(dir, "cache"),
    HOME: dir,
  };
  const program = (...args: string[]): Program => ({ command: "restic", args, env: all, role: "restic" });
  await measure(program("init", "--repository-version", "2"));
  return measure(program("backup", ...backupFlags(versionLine("restic", "version") ?? ""), source));
}

async function createRepository(dir: string): Promise<ResticRepository> {
  mkdirSync(dir, { recursive: true });
  const repo = join(dir, "repo");
  writeFileSync(join(dir, "password"), "correct horse battery staple\n", { mode: 0o600 });
  const flags = backupFlags(versionLine("restic", "version") ?? "");
  const env = {
    RESTIC_REPOSITORY: repo,
    RESTIC_PASSWORD_FILE: join(dir, "password"),
    RESTIC_CACHE_DIR: join(dir, "cache"),
    HOME: dir,
  };
  const program = (...args: string[]): Program => ({ command: "restic", args, env, role: "restic" });
  await measure(program("init", "--repository-version", "2"));

  const snapshots = new Map<string, string>();
  const newestOf = (source: string): string => {
    const id = snapshots.get(source);
    if (id === undefined) throw new BenchFailure(`restic has no snapshot of ${source}`);
    return id;
  };
  return {
    services: new Map(),
    backup: async (source) => {
      const before = sizeOnDisk(repo);
      const step = await measure(program("backup", ...flags, source));
      const summary = JSON.parse(step.stdout.trim().split("\n").at(-1) ?? "") as {
        snapshot_id: string;
        data_added: number;
      };
      snapshots.set(source, summary.snapshot_id);
      return {
        step,
        addedBytes: sizeOnDisk(repo) - before,
        reported: { data_added_before_compression: summary.data_added },
      };
    },
    restore: async (source, target) => ({
      step: await measure(program("restore", newestOf(source), "--target", target)),
      root: join(target, source),
    }),
    storedBytes: () => sizeOnDisk(repo),
    mount: (source, point) =>
      mountWith(program("mount", point), point, () =>
        join(point, "ids", newestOf(source).slice(0, 8), source),
      ),
    forget: (keepLast) => measure(program("forget", "--quiet", "--keep-last", String(keepLast), "--prune")),
    close: async () => {},
  };
}
