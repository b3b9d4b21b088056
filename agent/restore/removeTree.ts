// Removes what is at the target and not in the snapshot. Works by handles, so that a link is removed and never followed.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { nameAt } from "../platform/listing.ts";
import { type Handle, type Platform, SELF } from "../platform/port.ts";
import { EntryKind, StatTable } from "../platform/statTable.ts";
import { Errno, SystemError } from "../platform/systemError.ts";
import { mountOf } from "../source/mounts.ts";

const table = new StatTable(2);

/** Whether another file system is mounted at a name of a folder. @throws SystemError */
export function isMountPoint(platform: Platform, directory: Handle, name: Uint8Array): boolean {
  platform.stat(directory, SELF, table, 0);
  platform.stat(directory, name, table, 1);
  return mountOf(table, 0) !== mountOf(table, 1);
}

/**
 * Removes a name with everything below it, in the folder's own file system; returns how many things went.
 * @throws SystemError at the first that does not go; HoldfastError exists at another file system
 */
export function removeTree(platform: Platform, directory: Handle, name: Uint8Array): number {
  platform.stat(directory, name, table, 0);
  if (table.kind(0) !== EntryKind.directory) {
    platform.removeFile(directory, name);
    return 1;
  }
  if (isMountPoint(platform, directory, name))
    throw new HoldfastError(ErrorCode.exists, "not deleted: another file system is mounted at it or below");
  let removed = 0;
  const handle = platform.openDirectoryAt(directory, name);
  try {
    const listing = platform.list(handle);
    for (let index = 0; index < listing.count; index++) {
      removed += removeTree(platform, handle, Buffer.from(nameAt(listing, index)));
    }
  } finally {
    platform.close(handle);
  }
  platform.removeDirectory(directory, name);
  return removed + 1;
}

/** Removes a directory if it is empty; false where it is not. */
export function removeEmptyDirectory(platform: Platform, directory: Handle, name: Uint8Array): boolean {
  try {
    platform.removeDirectory(directory, name);
    return true;
  } catch (error) {
    if (error instanceof SystemError && (error.code === "ENOTEMPTY" || error.errno === Errno.EEXIST))
      return false;
    throw error;
  }
}
