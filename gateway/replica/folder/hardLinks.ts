// Whether a folder's file system has hard links: without them there is no put-if-absent that holds between processes.

import { randomBytes } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { errnoOf } from "../../store/files.ts";
import { folderError } from "./folderErrors.ts";
import { temporaryFolder } from "./temporaryFolder.ts";

const refusals: ReadonlySet<string | undefined> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
]);

/** @throws HoldfastError replica-* when nothing can be written there */
export async function hasHardLinks(replica: string): Promise<boolean> {
  const file = join(replica, temporaryFolder, toHex(randomBytes(16)));
  try {
    await writeFile(file, "", { flag: "wx", mode: 0o600 });
    await link(file, `${file}-2`);
    return true;
  } catch (error) {
    if (refusals.has(errnoOf(error))) return false;
    throw folderError(error, replica);
  } finally {
    for (const name of [file, `${file}-2`]) await rm(name, { force: true }).catch(() => undefined);
  }
}
