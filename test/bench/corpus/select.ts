// Which real files make up the corpus: a walk in byte order of names, cut off as soon as the floors are reached.

import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Scale } from "../scale.ts";

export type Selection = {
  /** Absolute paths of folders, files and symlinks; a folder comes before what is in it. */
  readonly paths: readonly string[];
  readonly files: number;
  readonly bytes: number;
  /** Whether both floors were reached. */
  readonly reached: boolean;
};

/** Chooses from `scale.trees` in order. The same machine gives the same choice. Device nodes and the like are left out. */
export function selectCorpus(
  scale: Pick<Scale, "trees" | "minFiles" | "minBytes" | "maxFileBytes">,
): Selection {
  const paths: string[] = [];
  let files = 0;
  let bytes = 0;
  const enough = (): boolean => files >= scale.minFiles && bytes >= scale.minBytes;

  const take = (path: string): void => {
    if (enough()) return;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.isSymbolicLink()) paths.push(path);
    else if (stat.isFile() && stat.size <= scale.maxFileBytes) {
      paths.push(path);
      files += 1;
      bytes += stat.size;
    } else if (stat.isDirectory()) {
      paths.push(path);
      for (const name of sortedNames(path)) take(join(path, name));
    }
  };
  for (const tree of scale.trees) take(tree);
  return { paths, files, bytes, reached: enough() };
}

/** Names in a folder in code-unit order, which does not depend on the locale; none for a folder that cannot be read. */
export function sortedNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort((a, b) => (a < b ? -1 : 1));
  } catch {
    return [];
  }
}
