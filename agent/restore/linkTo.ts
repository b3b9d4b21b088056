// Gives a restored file another name.

import type { Platform } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { Errno, SystemError } from "../platform/systemError.ts";
import { besideName } from "./besideName.ts";
import type { LinkName } from "./hardLinks.ts";
import type { TargetDirectories } from "./targetDirectories.ts";
import { moveInPlace, removeQuietly } from "./writeSmall.ts";

const table = new StatTable(2);
const salt = Buffer.from("link");

/** What a system says that makes no link here, or to this file no more: none at all (exFAT, FAT), too many names, another file system, another's file. */
const refusals: ReadonlySet<number> = new Set([
  Errno.EPERM,
  Errno.ENOTSUP,
  Errno.ENOSYS,
  Errno.EMLINK,
  Errno.EXDEV,
]);

/** Whether the file can have no link at its place, and must be restored there as one of its own. */
export function isLinkRefused(error: unknown): error is SystemError {
  return error instanceof SystemError && error.syscall === "link" && refusals.has(error.errno);
}

/**
 * Makes `place` a link to the file at `first`; what has the name is replaced, unless it is that file already.
 * @throws SystemError; `isLinkRefused` tells apart what another way may help against
 */
export function linkTo(
  platform: Platform,
  directories: TargetDirectories,
  first: LinkName,
  place: LinkName,
): void {
  // Both handles are needed at once: the second `at` could close the first, were not many kept open.
  const from = directories.at(first.directory);
  const to = directories.at(place.directory);
  try {
    platform.makeLink(from, first.name, to, place.name);
    return;
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
  }
  platform.stat(from, first.name, table, 0);
  platform.stat(to, place.name, table, 1);
  // Renaming one link over another of the same file would do nothing and leave both.
  if (table.inode(0) === table.inode(1) && table.device(0) === table.device(1)) return;
  const beside = besideName(place.name, salt);
  removeQuietly(platform, to, beside);
  platform.makeLink(from, first.name, to, beside);
  moveInPlace(platform, to, beside, place.name);
}
