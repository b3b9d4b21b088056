// What filters say on the way to the named paths and at them.

import { type Filter, type FolderFilter, Verdict } from "./filter.ts";
import type { TopNode } from "./topPaths.ts";
import { type Folder, joinPath } from "./walk.ts";

const separator = Buffer.from("/");

/** A named folder is tested by excludes only, a named file as an entry of its folder, and what leads to them by nothing. */
export function testTop(
  filter: Filter,
  at: Folder,
  name: Buffer,
  isDirectory: boolean,
  top: TopNode | undefined,
): Verdict {
  if (top?.target !== true) return Verdict.keep;
  if (!isDirectory) return filter.top(at.path.length === 0 ? separator : at.path).test(name, false);
  return filter.excludesTop(joinPath(at.path, name)) ? Verdict.skip : Verdict.keep;
}

/** The filter below a folder: a named folder starts its own. */
export function filterInside(filter: Filter, at: Folder, name: Buffer, path: Buffer): FolderFilter {
  return at.filter === undefined ? filter.top(path) : at.filter.folder(name);
}
