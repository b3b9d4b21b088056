// A clean Debian root: only what every Debian has, from the mirror, and nothing of this machine but its kernel and its network.

import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

export class CleanRoot {
  readonly path: string;

  /** Makes it in a new folder, with these packages besides the essential ones. */
  constructor(path: string, ...packages: readonly string[]) {
    this.path = path;
    mkdirSync(path);
    execFileSync(
      "mmdebstrap",
      [
        ...["--quiet", "--variant=essential", `--include=${packages.join(",")}`],
        ...['--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io"],
        // Nothing is left out of what is unpacked: a filter for each package takes longer than the root itself.
        ...["bookworm", path],
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    mkdirSync(join(path, "packages"));
  }

  /** Runs words in the root, with /proc and /dev of its own, as its root. */
  run(...words: readonly string[]): SpawnSyncReturns<string> {
    const [program, given] = this.#words(words);
    return spawnSync(program, given, {
      encoding: "utf8",
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** As `run`, what must succeed; gives its stdout. */
  done(...words: readonly string[]): string {
    const { status, stdout, stderr } = this.run(...words);
    if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts words in the root; the process is theirs, and goes with whoever started it. */
  start(...words: readonly string[]): ChildProcess {
    const [program, given] = this.#words(words);
    return spawn(program, given, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  }

  #words(words: readonly string[]): [string, string[]] {
    const within = 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';
    return ["unshare", ["--mount", "sh", "-c", within, this.path, ...words]];
  }
}

const environment: NodeJS.ProcessEnv = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C.UTF-8",
  DEBIAN_FRONTEND: "noninteractive",
};
