// Folders that programs mark as caches, by the convention of https://bford.info/cachedir/; ours among them.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Handle, Platform } from "../platform/port.ts";
import { SystemError } from "../platform/systemError.ts";

const TAG_NAME = Buffer.from("CACHEDIR.TAG");
const SIGNATURE = Buffer.from("Signature: 8a477f597d28d172789f06886806bc55");

/** Marks a cache of ours, so that backups leave it out where they are asked to. Where that fails it is only larger. */
export function markCache(folder: string): void {
  const path = join(folder, `${TAG_NAME}`);
  if (existsSync(path)) return;
  try {
    writeFileSync(path, `${SIGNATURE}\n# A cache of Holdfast: all of it may be deleted.\n`, {
      flag: "wx",
      mode: 0o644,
    });
  } catch {
    // A full disk, say: it is tried again at the next run. Nor does root follow a link that a user put there.
  }
}

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
