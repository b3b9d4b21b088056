// Which file systems the named paths are on, and what else is mounted.

import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { type Identity, identityOf } from "../source/standIns.ts";

export type Source = {
  /** Absolute: a mount point, or the root of a subvolume. */
  readonly path: Buffer;
  readonly identity: Identity;
  /** "btrfs", "ext4" */
  readonly type: string;
  /** "253:0" */
  readonly device: string;
  /** What was named of it. */
  readonly named: readonly Buffer[];
};

/** All that is mounted here, in the order of mounting. */
export function mountPoints(): Buffer[] {
  try {
    return mountPointsIn(readFileSync("/proc/self/mountinfo", "latin1"));
  } catch {
    return []; // no /proc: the devices of folders alone decide
  }
}

/** From the text of /proc/self/mountinfo, each byte a character: space, tab, newline and backslash are three octal digits. */
export function mountPointsIn(text: string): Buffer[] {
  return text
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
    )
    .map((path) => Buffer.from(path, "latin1"));
}

/**
 * The sources of paths, which are absolute and without links. A subvolume has a device of its own, so its root is found as a mount point is.
 * @throws SystemError; an error of node:fs
 */
export function sourcesOf(
  platform: Platform,
  paths: readonly Buffer[],
  mounted: readonly Buffer[],
): Source[] {
  const points = new Set(mounted.map((path) => path.toString("latin1")));
  const named = new Map<string, Buffer[]>();
  for (const path of paths) {
    const root = rootOf(path.toString("latin1"), points);
    named.set(root, [...(named.get(root) ?? []), path]);
  }
  return [...named].map(([root, those]) => sourceAt(platform, Buffer.from(root, "latin1"), those));
}

function rootOf(path: string, points: ReadonlySet<string>): string {
  const device = (at: string): bigint => statSync(Buffer.from(at, "latin1"), { bigint: true }).dev;
  let root = path;
  while (root !== "/" && !points.has(root) && device(dirname(root)) === device(root)) root = dirname(root);
  return root;
}

function sourceAt(platform: Platform, path: Buffer, named: readonly Buffer[]): Source {
  const handle = platform.openDirectory(path);
  try {
    const table = new StatTable(1);
    platform.stat(handle, SELF, table, 0);
    const device = table.device(0);
    return {
      path,
      identity: identityOf(table, 0),
      type: platform.fileSystem(handle).type,
      device: `${Math.floor(device / 2 ** 32)}:${device % 2 ** 32}`,
      named,
    };
  } finally {
    platform.close(handle);
  }
}
