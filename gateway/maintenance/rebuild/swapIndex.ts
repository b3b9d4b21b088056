// Gives a new index the place of the old one: one rename (docs/concurrency.md, "Rebuilding an index").

import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileError, makeFolderDurably, syncDirectory } from "../../store/files.ts";
import { nameAside } from "./moveAside.ts";

/** Where a new index is built, in the vault's directory. */
export const buildingFolder = "index.building";
/** Where one is built that is only looked at. */
export const dryFolder = "index.dry";
const dataFile = "data.mdb";

/**
 * The environment in `index.building`, closed and whole, becomes the vault's. Answers where the old one is now, if there was one.
 * @throws HoldfastError disk-full, io-error
 */
export async function swapIndex(directory: string): Promise<string | undefined> {
  const index = join(directory, "index");
  const old = join(index, dataFile);
  const building = join(directory, buildingFolder);
  try {
    await makeFolderDurably(index);
    {
      await using file = await open(join(building, dataFile), "r");
      await file.sync();
    }
    const aside = existsSync(old) ? await nameAside(directory, old, "index.mdb") : undefined;
    await rename(join(building, dataFile), old);
    await syncDirectory(index);
    await rm(building, { recursive: true, force: true });
    return aside;
  } catch (error) {
    throw fileError(error, index);
  }
}
