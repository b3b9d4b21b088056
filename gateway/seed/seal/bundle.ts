// Manifest and lists of a sealed box in one file, for who has no line to the datacentre (docs/format.md, section 12.7): the manifest as it
// is, then of each vault in its order the lists in the order packs, snapshots, chunks, catalog, keys, each as long as the manifest says.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { claimedManifest, seedLists } from "../../../vault/seed/manifest.ts";
import { errnoOf, fileError, fillFileDurably } from "../../store/files.ts";
import { listPath } from "../listFiles.ts";

/** Writes the file for the sealed box in a data directory. Nothing of it is secret, and nothing opened. @throws HoldfastError usage, disk-full, io-error */
export async function writeBundle(path: string, file: string): Promise<void> {
  const folder = join(path, "seed");
  let bytes: Buffer;
  try {
    bytes = await readFile(join(folder, "manifest"));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, folder);
    throw new HoldfastError(ErrorCode.usage, `${path} is no sealed box`, { next: "Seal it first." });
  }
  const manifest = claimedManifest(bytes);
  await fillFileDurably(file, async (target) => {
    await target.appendFile(bytes);
    for (const { id } of manifest.vaults) {
      for (const list of seedLists) {
        const source = createReadStream(listPath(folder, id, list));
        for await (const piece of source) await target.appendFile(piece as Buffer);
      }
    }
  });
}
