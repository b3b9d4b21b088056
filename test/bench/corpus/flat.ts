// One folder with very many small files, for listings.

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type FlatFolder = { readonly path: string; readonly entries: number };

/** Makes DIR/flat-<files> with that many files of a line each; takes a finished one again. */
export function prepareFlatFolder(dir: string, files: number): FlatFolder {
  const path = join(dir, `flat-${files}`);
  const finished = `${path}.made`;
  if (existsSync(finished)) return { path, entries: files };
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  for (let at = 0; at < files; at++) writeFileSync(join(path, `file-${at}.txt`), `${at}\n`);
  writeFileSync(finished, "");
  return { path, entries: files };
}
