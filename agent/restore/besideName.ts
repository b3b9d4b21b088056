// The name under which a file is written before it takes its place. It depends on the file's own name and content, so that
// a run that was stopped is taken up again, and two files in one directory never meet.

import { createHash } from "node:crypto";

const prefix = ".holdfast-";
const pattern = /^\.holdfast-[0-9a-f]{24}$/;

/** A name beside `name`; `content` tells versions apart (the file hash). */
export function besideName(name: Uint8Array, content: Uint8Array): Buffer {
  const digest = createHash("sha256").update(name).update("\0").update(content).digest("hex");
  return Buffer.from(`${prefix}${digest.slice(0, 24)}`);
}

/** Whether a name may be one of these. */
export function isBesideName(name: Buffer): boolean {
  return pattern.test(name.toString("latin1"));
}
