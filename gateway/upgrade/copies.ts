// Copies of a data directory's databases, made before an upgrade: DATA/before-upgrade/<format>/, as `gateway.json`, `catalog.mdb`, `<vault>.mdb`, and
// `copy.json`, which is written last. Packs and snapshots are not copied: no upgrade changes them.
//
// Invariants
// - A copy counts when copy.json is there: everything it names is on the disk then.
// - Putting back may be repeated from any point: each file is replaced whole, gateway.json last.
// - Nobody has the databases open; the caller holds the directory's lock.

import { constants, existsSync } from "node:fs";
import { copyFile, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { fileError, makeFolderDurably, syncDirectory, writeFileDurably } from "../store/files.ts";

/** What a copy was made of. */
export type Copy = { readonly from: number; readonly to: number /** RFC 3339. */; readonly at: string };

const folderName = "before-upgrade";
const identityName = "gateway.json";

function folderOf(path: string, from: number): string {
  return join(path, folderName, String(from));
}

/** Ids of the vaults that have a folder here. */
export async function vaultFolders(path: string): Promise<string[]> {
  return (await readdir(join(path, "vaults"))).filter((name) => /^[0-9a-f]{32}$/.test(name)).sort();
}

/** What is copied: its name in the copy, and its place in the directory. */
async function filesOf(path: string): Promise<{ readonly name: string; readonly place: string }[]> {
  return [
    { name: "catalog.mdb", place: join("catalog", "data.mdb") },
    ...(await vaultFolders(path)).map((id) => ({
      name: `${id}.mdb`,
      place: join("vaults", id, "index", "data.mdb"),
    })),
    { name: identityName, place: identityName },
  ].filter(({ place }) => existsSync(join(path, place)));
}

/**
 * Copies what an upgrade changes, in the place of an older copy of the same format.
 * @param reserveBytes what is to stay free
 * @throws HoldfastError disk-full with nothing changed, io-error
 */
export async function makeCopy(path: string, copy: Copy, reserveBytes: number): Promise<{ bytes: number }> {
  const folder = folderOf(path, copy.from);
  try {
    const files = await filesOf(path);
    const sizes = await Promise.all(files.map(async ({ place }) => (await stat(join(path, place))).size));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const { bavail, bsize } = await statfs(path);
    // As much again: a migration may write every page anew.
    const needed = 2 * bytes + reserveBytes;
    if (bavail * bsize < needed) {
      throw new HoldfastError(
        ErrorCode.diskFull,
        `upgrading ${path} takes ${needed} bytes, ${bavail * bsize} are free`,
        {
          next: "Make room, and start the gateway again. Nothing was changed.",
          detail: { path, needed, free: bavail * bsize },
        },
      );
    }
    await rm(folder, { recursive: true, force: true });
    await makeFolderDurably(dirname(folder));
    await makeFolderDurably(folder);
    for (const { name, place } of files) await copyDurably(join(path, place), join(folder, name));
    await writeFileDurably(join(folder, "copy.json"), Buffer.from(`${JSON.stringify(copy, null, 1)}\n`));
    return { bytes };
  } catch (error) {
    throw fileError(error, folder);
  }
}

/** Removes all copies: nobody can go back any more. @throws HoldfastError io-error */
export async function removeCopies(path: string): Promise<void> {
  const folder = join(path, folderName);
  if (!existsSync(folder)) return;
  try {
    await rm(folder, { recursive: true });
    await syncDirectory(path);
  } catch (error) {
    throw fileError(error, folder);
  }
}

/** The copies that count, the newest format last. */
export async function listCopies(path: string): Promise<Copy[]> {
  const names = await readdir(join(path, folderName)).catch(() => []);
  const copies: Copy[] = [];
  for (const name of names.filter((each) => /^[1-9]\d{0,5}$/.test(each))) {
    const file = join(path, folderName, name, "copy.json");
    if (existsSync(file)) copies.push(JSON.parse(await readFile(file, "utf8")) as Copy);
  }
  return copies.sort((a, b) => a.from - b.from);
}

/** Puts everything back as it was before the upgrade from this format. @throws HoldfastError not-found, disk-full, io-error */
export async function putBack(path: string, from: number): Promise<void> {
  const folder = folderOf(path, from);
  if (!existsSync(join(folder, "copy.json"))) {
    throw new HoldfastError(
      ErrorCode.notFound,
      `there is no copy of ${path} from before an upgrade from format ${from}`,
      {
        next: "Use the newer version, or restore the gateway from a replica (holdfast gateway restore-from).",
      },
    );
  }
  try {
    for (const { name, place } of await filesOf(path)) {
      // A vault that came since is none of the older catalog's.
      if (existsSync(join(folder, name))) await copyDurably(join(folder, name), join(path, place));
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

async function copyDurably(from: string, to: string): Promise<void> {
  const temporary = `${to}.tmp`;
  await copyFile(from, temporary, constants.COPYFILE_FICLONE);
  {
    await using file = await open(temporary, "r+");
    await file.sync();
  }
  await rename(temporary, to);
  await syncDirectory(dirname(to));
}
