// Files on their way into a replica's folder. A writer that was killed leaves some behind; another may be at work at this moment, so
// only old ones are removed: older than a day by the file system's own clock.

import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../store/files.ts";
import { folderError } from "./folderErrors.ts";

export const temporaryFolder = ".holdfast-tmp";

const leftOverMs = 24 * 3600 * 1000;
const clockName = "now";

/** Makes the folder for files on their way, and removes what writers left there long ago. Readers of a read-only disk do without it. */
export async function openTemporaryFolder(replica: string): Promise<void> {
  const folder = join(replica, temporaryFolder);
  try {
    await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
    });
    const clock = join(folder, clockName);
    await writeFile(clock, "");
    const { mtimeMs: nowMs } = await stat(clock);
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: nowMs }));
      if (nowMs - mtimeMs > leftOverMs) await rm(file, { force: true });
    }
  } catch (error) {
    const code = errnoOf(error);
    if (code === "EROFS" || code === "EACCES" || code === "EPERM" || code === "ENOSPC" || code === "EDQUOT")
      return;
    throw folderError(error, folder);
  }
}
