// Where the lists of a manifest are: below seed/ of a box's data directory, and below seed/<box>/<seal>/ of its datacentre's.

import { createReadStream } from "node:fs";
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

/** Reads a list: how far, and whether to go on. */
export type ListReading = { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void };

/** A list's bytes, piece by piece. @throws the system's errors; the signal's reason */
export async function* readList(
  path: string,
  { signal, onBytes }: ListReading,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    yield piece;
    onBytes(piece.length);
  }
}
