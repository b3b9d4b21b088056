// Room on disks, and directories that hold secrets.

import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { formatBytes } from "../cli/units.ts";
import { type Finding, good, note, problem } from "./finding.ts";
import { isAccessible } from "./machineChecks.ts";

const MiB = 1024 * 1024;

/** The nearest folder above (or at) a path that is there. */
function existing(path: string): string {
  let folder = path;
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

/** Room for `what` where `path` is or would be. */
export function checkRoom(what: string, path: string, bytesMin: number): Finding {
  const about = `disk of ${what}`;
  const { bavail, bsize } = statfsSync(existing(path));
  const free = bavail * bsize;
  if (free >= 4 * bytesMin) return good(about, `${formatBytes(free)} free at ${path}`);
  const message = `${formatBytes(free)} free at ${path}`;
  const next = "Make room, or name a directory on a larger disk.";
  return free >= bytesMin ? note(about, `only ${message}`, next) : problem(about, `only ${message}`, next);
}

/** A directory with secrets: readable by its owner alone, and by us. */
export function checkPrivate(what: string, path: string): Finding {
  const { mode, uid } = statSync(path);
  if (!isAccessible(path)) {
    return problem(
      what,
      `${path} cannot be read and written by this user`,
      "Run as the user that it belongs to.",
    );
  }
  const own = process.getuid?.();
  // Root's commands go on as the directory's user (service/asOwner.ts).
  if (own !== undefined && uid !== own && uid !== 0 && own !== 0) {
    return note(what, `${path} belongs to user ${uid}`, `chown it to the user that Holdfast runs as.`);
  }
  if ((mode & 0o077) !== 0) {
    return problem(
      what,
      `${path} is open to other users (mode ${(mode & 0o777).toString(8)})`,
      `chmod go-rwx ${path}`,
    );
  }
  return good(what, path);
}

export const roomBytesMin = { gateway: 1024 * MiB, agent: 128 * MiB } as const;
