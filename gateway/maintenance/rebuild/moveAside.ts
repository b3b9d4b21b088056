// Damaged files keep their bytes: they go to `damaged/` of their vault, whose names nothing reads.

import { existsSync } from "node:fs";
import { link, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError, makeFolderDurably, syncDirectory } from "../../store/files.ts";

/** Folder of what was moved aside. */
export function damagedFolder(directory: string): string {
  return join(directory, "damaged");
}

/** A name in `damaged/` that nothing has. */
async function freeName(directory: string, name: string): Promise<string> {
  const folder = damagedFolder(directory);
  await makeFolderDurably(folder);
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? name : `${name}-${number}`);
    if (!existsSync(path)) return path;
  }
}

/** Moves a file of a vault's directory aside and makes that durable. Answers where it is. @throws HoldfastError disk-full, io-error */
export async function moveAside(directory: string, path: string, name = basename(path)): Promise<string> {
  try {
    const target = await freeName(directory, name);
    await rename(path, target);
    await syncDirectory(dirname(target));
    await syncDirectory(dirname(path));
    return target;
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Gives a file a second name there, durably. @throws HoldfastError disk-full, io-error */
export async function nameAside(directory: string, path: string, name: string): Promise<string> {
  try {
    const target = await freeName(directory, name);
    await link(path, target);
    await syncDirectory(dirname(target));
    return target;
  } catch (error) {
    throw fileError(error, path);
  }
}
