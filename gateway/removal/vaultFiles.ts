// What a vault's directory has, as files, and how it goes: keys first.

import { createHash } from "node:crypto";
import { open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DeletedVault } from "../../vault/deletion.ts";
import type { Vault } from "../catalog/vaults.ts";
import { errnoOf, fileError, syncDirectory } from "../store/files.ts";

/** Names in a folder, sorted; none where there is no folder. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, folder);
  }
}

/** Counts what is there. The vault is not open. @throws HoldfastError io-error */
export async function describeVault(directory: string, { id, name }: Vault): Promise<DeletedVault> {
  const keysFolder = join(directory, "keys");
  const keys: string[] = [];
  for (const file of await namesIn(keysFolder)) {
    keys.push(
      createHash("sha256")
        .update(await readFile(join(keysFolder, file)))
        .digest("hex"),
    );
  }
  let packs = 0;
  let bytes = 0;
  const folders = (await namesIn(join(directory, "packs"))).map((part) => join(directory, "packs", part));
  for (const folder of [...folders, join(directory, "open")]) {
    for (const file of await namesIn(folder)) {
      packs++;
      bytes += (await stat(join(folder, file))).size;
    }
  }
  const snapshots = (await namesIn(join(directory, "snapshots"))).length;
  return { id, name, keys, snapshots, packs, bytes };
}

/** Overwrites and deletes the keys documents, durably. What is gone already is no error. @throws HoldfastError io-error */
export async function eraseKeys(directory: string): Promise<void> {
  const folder = join(directory, "keys");
  const names = await namesIn(folder);
  for (const name of names) {
    const path = join(folder, name);
    try {
      const file = await open(path, "r+");
      try {
        const { size } = await file.stat();
        await file.write(Buffer.alloc(size), 0, size, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await rm(path);
    } catch (error) {
      throw fileError(error, path);
    }
  }
  // Also where nothing is left: who deleted it may have been killed before its name was gone for good.
  await syncDirectory(folder).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, folder);
  });
}

/** Deletes a vault's directory, durably. @throws HoldfastError io-error */
export async function eraseDirectory(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
    await syncDirectory(join(directory, ".."));
  } catch (error) {
    throw fileError(error, directory);
  }
}
