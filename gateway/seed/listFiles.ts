// Where the lists of a manifest are: below seed/ of a box's data directory, and below seed/<box>/<seal>/ of its datacentre's.

import { join } from "node:path";
import type { SeedListName } from "../../vault/seed/manifest.ts";

/** The file of a list. `folder`: the one that the manifest is in. */
export function listPath(folder: string, vault: string, list: SeedListName): string {
  return join(folder, vault, list === "keys" ? "keys.json" : list);
}

/** Folder of one seal of a box, at its datacentre. */
export function sealFolder(path: string, box: number, seal: number): string {
  return join(path, "seed", String(box), String(seal));
}
