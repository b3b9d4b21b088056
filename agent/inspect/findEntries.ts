// `agent find`: entries of a snapshot by name, kind, size and age.

import { badPattern, parseGlob } from "../source/glob.ts";
import { matchName, type NameMatcher, NameUnderTest } from "../source/globName.ts";
import { type EntryInfo, entryInfo, type KindName } from "./entryInfo.ts";
import type { SnapshotTree } from "./snapshotTree.ts";
import { walkTree } from "./walkTree.ts";

export type FindOptions = {
  /** Globs for the name (not the path); any one of them is enough. None: every name. */
  readonly patterns: readonly string[];
  readonly kinds?: readonly KindName[];
  /** Bytes of files; others have none. */
  readonly sizeMin?: number;
  readonly sizeMax?: number;
  /** Changed after this time (milliseconds since 1970). */
  readonly newerThanMs?: number;
  readonly signal?: AbortSignal;
};

/** Compiles a pattern for one name. @throws HoldfastError usage */
export function nameMatcher(pattern: string): NameMatcher {
  const segments = parseGlob(pattern).segments.filter((segment) => segment.kind === "name");
  const [only, more] = segments;
  if (pattern.includes("/") || only === undefined || more !== undefined) {
    throw badPattern(pattern, "find compares names, not paths");
  }
  return only.matcher;
}

/** Matching entries in the order of the tree. @throws HoldfastError usage for a bad pattern */
export async function* findEntries(
  snapshot: SnapshotTree,
  options: FindOptions,
): AsyncGenerator<EntryInfo, void, void> {
  const matchers = options.patterns.map(nameMatcher);
  const { tree, header } = snapshot;
  for await (const { entry, path } of walkTree(tree, header.root, Buffer.alloc(0), options.signal)) {
    if (matchers.length > 0) {
      const name = new NameUnderTest(entry.name);
      if (!matchers.some((matcher) => matchName(matcher, name))) continue;
    }
    const info = entryInfo(entry, path);
    if (fits(info, entry.mtime.seconds * 1000, options)) yield info;
  }
}

function fits(info: EntryInfo, mtimeMs: number, options: FindOptions): boolean {
  const { kinds, sizeMin, sizeMax, newerThanMs } = options;
  if (kinds !== undefined && !kinds.includes(info.kind)) return false;
  if ((sizeMin !== undefined || sizeMax !== undefined) && info.kind !== "file") return false;
  if (sizeMin !== undefined && info.size < sizeMin) return false;
  if (sizeMax !== undefined && info.size > sizeMax) return false;
  return newerThanMs === undefined || mtimeMs > newerThanMs;
}
