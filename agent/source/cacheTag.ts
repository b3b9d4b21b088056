// Folders that programs mark as caches, by the convention of https://bford.info/cachedir/.

import type { Handle, Platform } from "../platform/port.ts";
import { SystemError } from "../platform/systemError.ts";

const TAG_NAME = Buffer.from("CACHEDIR.TAG");
const SIGNATURE = Buffer.from("Signature: 8a477f597d28d172789f06886806bc55");

/** True where the folder holds a regular file CACHEDIR.TAG that begins with the signature. Unreadable means no. */
export function isTaggedCache(platform: Platform, folder: Handle): boolean {
  let tag: Handle;
  try {
    tag = platform.openFile(folder, TAG_NAME);
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
  try {
    const head = Buffer.alloc(SIGNATURE.length);
    return platform.read(tag, head, 0) === head.length && head.equals(SIGNATURE);
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  } finally {
    platform.close(tag);
  }
}
