// The directory that a box is to be made in: new, empty, the root of an empty file system, or what a stopped run left.

import { existsSync } from "node:fs";
import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { BoxDocument } from "../../../vault/seed/boxDocument.ts";
import { demandFileSystem, lookName } from "../../fileSystemNeeds.ts";
import { errnoOf, fileError, syncDirectory, syncFoundNames } from "../../store/files.ts";
import { boxDocumentName, readBoxDocument } from "../boxDirectory.ts";

/** A box that is there; `whole`: all of it, as far as its directory tells. */
export type FoundBox = { readonly document: BoxDocument; readonly whole: boolean };

/** What an empty directory may hold: that of a file system's root, a file that was being written, and what looked at the file system. */
const nothing: readonly string[] = ["lost+found", `${boxDocumentName}.tmp`, lookName];

/**
 * Makes the directory if need be. Answers the box that is in it: one that a stopped run had begun, or a whole one.
 * @throws HoldfastError exists where something else is there; unsupported (the file system); io-error, disk-full
 */
export async function checkTarget(path: string): Promise<FoundBox | undefined> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncDirectory(join(path, ".."));
    const names = (await readdir(path)).filter((name) => !nothing.includes(name));
    await syncFoundNames(path);
    if (names.length > 0) return await found(path);
    // The root of a file system that was just made is open to all.
    await chmod(path, 0o700).catch((error: unknown) => {
      if (errnoOf(error) !== "EPERM") throw error;
    });
    await demandFileSystem(path);
    return undefined;
  } catch (error) {
    throw fileError(error, path);
  }
}

async function found(path: string): Promise<FoundBox> {
  const document = await readBoxDocument(path);
  if (document !== undefined) return { document, whole: existsSync(join(path, "gateway.json")) };
  throw notEmpty(path, "is not empty");
}

/** What is said of a directory that a box cannot be made in. */
export function notEmpty(path: string, what: string): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `${path} ${what}`, {
    next: "Choose an empty directory, or the root of an empty file system.",
  });
}
