// Running outside programs with names as raw bytes. Nothing here or beside it imports the agent: what compares its
// work must not share its mistakes.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";

const OUTPUT_BYTES_MAX = 2 ** 30;

/** Runs a program; fails unless it ends with status 0. `folder` may be a /proc path to an open directory. */
export function run(program: string, args: readonly string[], folder: string, input?: Uint8Array): Buffer {
  const result = spawnSync(program, args, {
    cwd: folder,
    ...(input === undefined ? {} : { input }),
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
  });
  if (result.error !== undefined) throw new Error(`${program} did not start: ${result.error.message}`);
  if (result.status !== 0)
    throw new Error(`${program} ${args.join(" ")}: ${result.stderr.toString("latin1")}`);
  return result.stdout;
}

/** Runs a program on many names, given as bytes, in as few calls as they fit in. */
export function runOnNames(
  program: string,
  args: readonly string[],
  folder: string,
  names: readonly Uint8Array[],
  perCall?: number,
): Buffer {
  if (names.length === 0) return Buffer.alloc(0);
  const input = Buffer.concat(names.flatMap((name) => [Buffer.from("./"), name, Buffer.from([0])]));
  const limit = perCall === undefined ? [] : ["-n", String(perCall)];
  return run("xargs", ["-0", ...limit, program, ...args], folder, input);
}

/**
 * An open directory that is reached by any number of components, also beyond PATH_MAX. `folder` names it for this process and
 * its children as long as it is open.
 */
export type OpenFolder = { readonly fd: number; readonly folder: string };

export function openFolder(start: string, names: readonly Uint8Array[]): OpenFolder {
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;
  let fd = fs.openSync(start, flags);
  for (const name of names) {
    const next = fs.openSync(inside(fd, name), flags);
    fs.closeSync(fd);
    fd = next;
  }
  return { fd, folder: `/proc/${process.pid}/fd/${fd}` };
}

/** The path of a name in an open directory. */
export function inside(fd: number, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`/proc/${process.pid}/fd/${fd}/`), name]);
}

/** A path as components. */
export function splitPath(path: Uint8Array): Buffer[] {
  const names: Buffer[] = [];
  const bytes = Buffer.from(path);
  for (let from = 0; from < bytes.length; ) {
    const slash = bytes.indexOf(0x2f, from);
    const end = slash < 0 ? bytes.length : slash;
    if (end > from) names.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return names;
}

/** Removes a tree, however deep, and also where its folders forbid it to their owner. */
export function removeTree(root: string): void {
  if (process.getuid?.() !== 0) run("chmod", ["-R", "u+rwx", root], "/");
  run("rm", ["-rf", root], "/");
}
