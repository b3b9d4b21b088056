// Objects of a folder in the order of their keys, a page at a time: a listing remembers nothing between pages.
//
// The order is that of names folder by folder, which `after` follows down the tree; memory is that of the largest folder's names.

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { markerName } from "../replica/folder/marker.ts";
import { checkKey } from "../replica/keys.ts";
import { errnoOf, fileError } from "../store/files.ts";

export type ListedObject = { readonly key: string; readonly bytes: number };

/** Objects below `prefix` that come after the key `after`. */
export async function* objectsAfter(
  root: string,
  prefix: string,
  after: string | undefined,
): AsyncGenerator<ListedObject> {
  const from = after?.startsWith(prefix) === true ? after.slice(prefix.length).split("/") : [];
  yield* walk(root, prefix, from);
}

async function* walk(root: string, prefix: string, from: readonly string[]): AsyncGenerator<ListedObject> {
  const [first, ...deeper] = from;
  for (const entry of await namesIn(join(root, prefix))) {
    const { name } = entry;
    if (first !== undefined && name < first) continue;
    const key = `${prefix}${name}`;
    if (entry.isDirectory()) {
      yield* walk(root, `${key}/`, name === first ? deeper : []);
      continue;
    }
    if (name === first || !entry.isFile()) continue;
    const bytes = await sizeOf(join(root, key));
    if (bytes !== undefined) yield { key, bytes };
  }
}

/** What can be part of a key, sorted. */
async function namesIn(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter(({ name }) => isKeyPart(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw fileError(error, path);
  }
}

function isKeyPart(name: string): boolean {
  try {
    return checkKey(name) !== markerName;
  } catch {
    return false;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fileError(error, path);
  }
}
