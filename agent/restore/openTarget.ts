// Opens the directory that is restored into, and makes it where it is not there.

import type { Handle, Platform } from "../platform/port.ts";
import { Errno, SystemError } from "../platform/systemError.ts";
import { isAbsent } from "./applyMetadata.ts";

const slash = 0x2f;
const newDirectoryMode = 0o700;

/**
 * The target's handle, and whether it is new. Paths of any length; links on the way are followed, since a person named the
 * path. With `make` false (a dry run) a missing target is not made: the handle is then that of the folder it would be made in.
 * @throws SystemError
 */
export function openTarget(
  platform: Platform,
  path: Uint8Array,
  make: boolean,
): { readonly handle: Handle; readonly made: boolean } {
  const missing: Buffer[] = [];
  let rest = trimmed(Buffer.from(path));
  for (;;) {
    try {
      let handle = platform.openDirectory(rest);
      if (make) for (const name of missing) handle = descend(platform, handle, name);
      return { handle, made: missing.length > 0 };
    } catch (error) {
      if (!isAbsent(error) || rest.length === 0 || rest.equals(Buffer.from("/"))) throw error;
    }
    const cut = rest.lastIndexOf(slash);
    missing.unshift(rest.subarray(cut + 1));
    rest = cut < 0 ? Buffer.from(".") : cut === 0 ? Buffer.from("/") : trimmed(rest.subarray(0, cut));
  }
}

function descend(platform: Platform, parent: Handle, name: Buffer): Handle {
  try {
    try {
      platform.makeDirectory(parent, name, newDirectoryMode);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
    }
    return platform.openDirectoryAt(parent, name);
  } finally {
    platform.close(parent);
  }
}

function trimmed(path: Buffer): Buffer {
  let end = path.length;
  while (end > 1 && path[end - 1] === slash) end--;
  return path.subarray(0, end);
}
