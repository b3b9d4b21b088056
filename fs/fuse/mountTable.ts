// What is mounted where, from /proc/self/mountinfo, and clearing away dead mounts of ours.

import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** What df and mountinfo show; also how we know our own mounts again. */
export const MOUNT_SUBTYPE = "holdfast";
const STACKED_MAX = 16;
const ALIVE_CHECK_MS = 5_000;

export type MountRow = {
  readonly mountpoint: Buffer;
  /** "major:minor" as under /sys/class/bdi. */
  readonly device: string;
  readonly type: string;
};

/** Rows of mountinfo text (read as latin1), in mount order: the last one at a path is the visible one. */
export function parseMountInfo(text: string): MountRow[] {
  const rows: MountRow[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const dash = fields.indexOf("-", 6);
    const [device, path, type] = [fields[2], fields[4], fields[dash + 1]];
    if (dash < 0 || device === undefined || path === undefined || type === undefined) continue;
    const raw = path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(parseInt(digits, 8)),
    );
    rows.push({ mountpoint: Buffer.from(raw, "latin1"), device, type });
  }
  return rows;
}

/** The mount that is visible at exactly this absolute path, if any. */
export async function mountAt(path: string): Promise<MountRow | undefined> {
  const wanted = Buffer.from(path);
  const rows = parseMountInfo(await readFile("/proc/self/mountinfo", "latin1"));
  return rows.findLast((row) => row.mountpoint.equals(wanted));
}

/**
 * Makes a mountpoint ready: clears dead mounts of ours, then insists on an empty directory.
 * @returns its absolute path without symlinks.
 * @throws HoldfastError mount-failed.
 */
export async function prepareMountpoint(
  mountpoint: string,
  detach: (path: string) => Promise<void>,
): Promise<string> {
  const path = await canonical(mountpoint);
  for (let depth = 0; ; depth++) {
    const there = await mountAt(path);
    if (there === undefined || !/^fuse(\.|$)/.test(there.type)) break;
    const ours = there.type === `fuse.${MOUNT_SUBTYPE}`;
    const state = await aliveness(path);
    if (ours && state === "dead" && depth < STACKED_MAX) {
      await detach(path);
      continue;
    }
    if (state === "silent") {
      throw refusal(
        `the drive that is mounted at ${path} does not answer`,
        `End its process if it still runs; then umount -f ${path} (or fusermount3 -u ${path}), or choose another directory.`,
      );
    }
    throw refusal(
      ours ? `a running Holdfast drive is mounted at ${path}` : `another file system is mounted at ${path}`,
      `Unmount it first (umount ${path} or fusermount3 -u ${path}), or choose another directory.`,
    );
  }
  await insistOnEmptyDirectory(path);
  return path;
}

/** Absolute and without symlinks, never touching a dead mount beyond its name. */
async function canonical(mountpoint: string): Promise<string> {
  const path = resolve(mountpoint);
  try {
    const direct = path === "/" ? path : join(await realpath(dirname(path)), basename(path));
    const isLink = await lstat(direct).then(
      (found) => found.isSymbolicLink(),
      () => false,
    );
    // A link may lead to a dead mount, whose own name realpath cannot read.
    return isLink ? await realpath(direct).catch(() => direct) : direct;
  } catch (error) {
    throw refusal(`${path} cannot be used as a mountpoint`, `Create it: mkdir -p ${path}`, error);
  }
}

/** A killed daemon's mount answers ENOTCONN at once. */
async function aliveness(path: string): Promise<"alive" | "dead" | "silent"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"silent">((done) => {
    timer = setTimeout(() => done("silent"), ALIVE_CHECK_MS);
  });
  const asked = stat(path).then(
    () => "alive" as const,
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOTCONN" || error.code === "ECONNABORTED" ? ("dead" as const) : ("alive" as const),
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function insistOnEmptyDirectory(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") throw refusal(`${path} is not a directory`, "Choose an empty directory.", error);
    if (code === "ENOENT") throw refusal(`${path} does not exist`, `Create it: mkdir -p ${path}`, error);
    throw refusal(`${path} cannot be read (${code})`, "Choose an empty directory that you own.", error);
  }
  if (names.length > 0) {
    throw refusal(`${path} is not empty`, "Choose an empty directory, so that the drive hides nothing.");
  }
}

function refusal(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.mountFailed, message, { next, cause });
}
