// borg to a local folder: repokey-blake2 encryption (its fast authenticated mode), zstd level 3, its caches kept between
// runs as in real use. It syncs its segments by itself.
//
// Bytes added are the growth of the repository folder. Segments are append-only, so that is what it wrote; its index
// and hints files are rewritten under new names and count only by how much they grew.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BenchFailure } from "../failure.ts";
import { measure, type Program } from "../measure/programs.ts";
import { sizeOnDisk } from "../measure/size.ts";
import { mountWith } from "./mounting.ts";
import type { Peer, PeerDescription, Repository } from "./peer.ts";
import { versionLine } from "./version.ts";

const INIT = ["init", "--encryption=repokey-blake2"];
const CREATE = ["create", "--compression=zstd,3", "--json"];

export const borg: Peer = {
  name: "borg",
  describe: describeBorg,
  create: createRepository,
};

/** Undefined also where borg cannot mount: Debian has what it needs for that in a package of its own. */
function describeBorg(): PeerDescription | undefined {
  const version = versionLine("borg", "--version");
  if (version === undefined || !canMount()) return undefined;
  return {
    version,
    flags: [
      `borg ${INIT.join(" ")} (local folder)`,
      `borg ${CREATE.join(" ")} (files cache by ctime, size and inode, kept between runs)`,
      "borg extract REPO::ARCHIVE",
      "borg mount --foreground REPO::ARCHIVE POINT",
    ],
  };
}

function canMount(): boolean {
  // Debian's borg runs on Debian's Python, whatever comes first in PATH.
  return spawnSync("/usr/bin/python3", ["-c", "import pyfuse3"], { stdio: "ignore" }).status === 0;
}

async function createRepository(dir: string): Promise<Repository> {
  const repo = join(dir, "repo");
  const base = join(dir, "base");
  mkdirSync(base, { recursive: true });
  const env = { BORG_BASE_DIR: base, BORG_PASSPHRASE: "correct horse battery staple", HOME: dir };
  const program = (args: readonly string[], cwd?: string): Program => ({
    command: "borg",
    args,
    env,
    role: "borg",
    ...(cwd === undefined ? {} : { cwd }),
  });
  await measure(program([...INIT, repo]));

  let archives = 0;
  const newest = new Map<string, string>();
  const newestOf = (source: string): string => {
    const archive = newest.get(source);
    if (archive === undefined) throw new BenchFailure(`borg has no archive of ${source}`);
    return archive;
  };
  return {
    services: new Map(),
    backup: async (source) => {
      const archive = `${repo}::archive-${++archives}`;
      const before = sizeOnDisk(repo);
      const step = await measure(program([...CREATE, archive, source]));
      const created = JSON.parse(step.stdout) as { archive: { stats: { deduplicated_size: number } } };
      newest.set(source, archive);
      return {
        step,
        addedBytes: sizeOnDisk(repo) - before,
        reported: { deduplicated_size: created.archive.stats.deduplicated_size },
      };
    },
    restore: async (source, target) => {
      mkdirSync(target, { recursive: true });
      return {
        step: await measure(program(["extract", newestOf(source)], target)),
        root: join(target, source),
      };
    },
    storedBytes: () => sizeOnDisk(repo),
    mount: (source, point) =>
      mountWith(program(["mount", "--foreground", newestOf(source), point]), point, () =>
        join(point, source),
      ),
    close: async () => {},
  };
}
