// The file that says that a folder is a replica. Without it an empty mount point, whose disk is somewhere else today, would be taken for a
// replica that lost everything, and written to.

import { constants, existsSync } from "node:fs";
import { access, mkdir, open, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asInteger, asObject, parseJson } from "../../../vault/jsonFields.ts";
import { errnoOf, syncDirectory } from "../../store/files.ts";
import { folderError, folderMissing } from "./folderErrors.ts";

export const markerName = "holdfast-replica.json";
const version = 1;
const bytesMax = 4096;

/** Makes a folder a replica, and the folder itself where its parent is there. What is in it stays. @throws HoldfastError replica-* */
export async function markFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
    await syncDirectory(dirname(path));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw folderMissing(path, error);
    if (errnoOf(error) !== "EEXIST") throw folderError(error, path);
  }
  try {
    const file = await open(join(path, markerName), "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ format: "holdfast-replica", version })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(path);
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") throw folderMissing(path, error);
    if (errnoOf(error) !== "EEXIST") throw folderError(error, path);
  }
}

/** @throws HoldfastError replica-unreachable where there is no replica; unsupported; replica-refused */
export async function readMarker(path: string): Promise<void> {
  const text = await readFile(join(path, markerName)).catch((error: unknown) => {
    throw missingMarker(error, path);
  });
  let found: unknown;
  try {
    const marker = asObject(parseJson(text, markerName, bytesMax), markerName);
    found = marker.format === "holdfast-replica" ? asInteger(marker.version, "its version", 1) : undefined;
  } catch (error) {
    // Cut short by a machine that stopped while it wrote: what it says besides its name is not needed.
    if (!isHoldfastError(error)) throw error;
    found = version;
  }
  if (found !== version) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `${join(path, markerName)} is of another program or version`,
      {
        next: "Use a newer version of this program.",
      },
    );
  }
}

/** Cheaper than reading it: is the folder still the replica's? @throws HoldfastError replica-unreachable */
export async function seeMarker(path: string): Promise<void> {
  await access(join(path, markerName), constants.F_OK).catch((error: unknown) => {
    throw missingMarker(error, path);
  });
}

function missingMarker(error: unknown, path: string): HoldfastError {
  const code = errnoOf(error);
  if (code === "ENOENT" && existsSync(path)) return folderUnmarked(path, error);
  return code === "ENOENT" || code === "ENOTDIR" ? folderMissing(path, error) : folderError(error, path);
}

/** There is a folder, and nothing in it says that it is a replica: mostly an empty mount point. */
function folderUnmarked(path: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaUnreachable,
    `${path} is no replica now: it has no ${markerName}`,
    {
      next: "If its disk is mounted there, connect it; replication goes on by itself. Otherwise check the path.",
      detail: { path },
      cause,
    },
  );
}
