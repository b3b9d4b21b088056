// What tests do with the directories of boxes, and look at in them.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

/** Moves some of a box's packs to a directory of their own. */
export function split(vault: string, directory: string, second: string, moves: (n: number) => boolean): void {
  const packs = join("vaults", vault, "packs");
  const files = readdirSync(join(directory, packs), { recursive: true })
    .map(String)
    .filter((path) => path.includes("/"));
  if (files.length < 4) throw new Error("too few packs to split");
  for (const [n, file] of files.sort().entries()) {
    if (!moves(n)) continue;
    mkdirSync(join(second, packs, file, ".."), { recursive: true });
    renameSync(join(directory, packs, file), join(second, packs, file));
  }
}

/** Every file's content below a directory; lock files, which readers write too, apart. */
export function contentOf(directory: string): Map<string, string> {
  return new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== "lock.mdb")
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

/** Bytes of packs, open ones included, of a vault's directory. */
export function vaultPackBytes(vault: string): number {
  return ["packs", "open"]
    .flatMap((folder) => readdirSync(join(vault, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".tmp"))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
