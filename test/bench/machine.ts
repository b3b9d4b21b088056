// On what the figures were taken, and whether it has room for them.

import { spawnSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { BenchFailure } from "./failure.ts";
import { formatBytes } from "./report/format.ts";

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly system: string;
  /** File system and device below the benchmark's folder, as "ext4 on /dev/sda1 (rw,relatime)". */
  readonly disk: string;
  readonly node: string;
};

/** Describes this machine; `dir` must exist. */
export function describeMachine(dir: string): Machine {
  const mount = spawnSync("findmnt", ["-nro", "FSTYPE,SOURCE,OPTIONS", "-T", dir], { encoding: "utf8" });
  const [type, source, options] = (mount.stdout ?? "").trim().split(" ");
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown",
    disk: type ? `${type} on ${source} (${options})` : "unknown",
    node: process.version,
  };
}

/** Throws BenchFailure unless the file system of `dir` has `bytes` free. */
export function checkFreeSpace(dir: string, bytes: number): void {
  const stat = statfsSync(dir);
  const free = stat.bavail * stat.bsize;
  if (free >= bytes) return;
  throw new BenchFailure(
    `${dir} has ${formatBytes(free)} free, and this benchmark needs ${formatBytes(bytes)}: make room or choose another --dir`,
  );
}
