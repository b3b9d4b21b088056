// Which files of a build a program needs: what it imports, at its start or later, and what its threads and child programs run.
//
// The build is our own compiler's, so its import statements have few forms; a file that is named and not there is an error, not left out.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

type Edges = {
  /** Loaded with the file. */
  readonly now: readonly string[];
  /** Loaded when needed, in this program. */
  readonly later: readonly string[];
  /** Threads and programs. */
  readonly starts: readonly string[];
  /** Names of packages. */
  readonly packages: readonly string[];
};

export type Reachable = {
  /** Relative to the build. */
  readonly files: readonly string[];
  /** Those of them that are started by their own names: the entry, threads and programs. */
  readonly started: readonly string[];
  readonly packages: readonly string[];
  /** Files that are loaded later and were left out with what they need. */
  readonly cut: readonly string[];
};

const nowPattern = /^(?:import\s*|(?:import|export)\b[^"'`;=()]*?\bfrom\s*)["'](?<target>[^"'\n]+)["'];?$/gm;
const laterPatterns = [
  /\bimport\(\s*["'](?<target>[^"'\n]+)["']\s*\)/g,
  /\b(?:require|createRequire\(import\.meta\.url\))\(["'](?<target>[^"'\n]+)["']\)/g,
];
const startPattern = /\bnew URL\(\s*["'`](?<target>\.\.?\/[\w./-]+?)(?:\.js|\$\{extname\([^}]*\)\})["'`]/g;

/** "@scope/name" or "name" of an import; undefined for Node's own modules. */
function packageOf(target: string): string | undefined {
  if (target.startsWith("node:")) return undefined;
  const [scope = "", name = ""] = target.split("/");
  return target.startsWith("@") ? `${scope}/${name}` : scope;
}

function edgesOf(path: string): Edges {
  const text = readFileSync(path, "utf8").replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
  const targets = (pattern: RegExp): string[] =>
    Array.from(text.matchAll(pattern), (match) => match.groups?.target ?? "");
  const now = targets(nowPattern);
  const later = laterPatterns.flatMap(targets);
  const isOurs = (target: string): boolean => target.startsWith(".");
  const absolute = (target: string): string => {
    const found = join(dirname(path), target.endsWith(".js") ? target : `${target}.js`);
    if (!existsSync(found)) throw new Error(`${path} names ${target}, which is not in the build`);
    return found;
  };
  return {
    now: now.filter(isOurs).map(absolute),
    later: later.filter((target) => isOurs(target) && !target.endsWith(".json")).map(absolute),
    starts: targets(startPattern).map(absolute),
    packages: [...now, ...later]
      .filter((target) => !isOurs(target))
      .flatMap((target) => packageOf(target) ?? []),
  };
}

/**
 * What `entry` (relative to `build`) needs. Nothing of a file for which `isLeftOut` says true: what would load such a file at once is left out as well, where
 * it is loaded later. Throws where the entry itself could not start then.
 */
export function reachable(build: string, entry: string, isLeftOut: (file: string) => boolean): Reachable {
  const known = new Map<string, Edges>();
  const edges = (path: string): Edges => {
    const found = known.get(path) ?? edgesOf(path);
    known.set(path, found);
    return found;
  };
  /** Files that come with this one, itself included. */
  const withIt = (path: string): Set<string> => {
    const found = new Set([path]);
    for (const each of found) for (const next of edges(each).now) found.add(next);
    return found;
  };
  const files = new Set<string>();
  const started = new Set([join(build, entry)]);
  const cut = new Set<string>();
  const waiting = [join(build, entry)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const all = withIt(path);
    const wrong = [...all].find((each) => isLeftOut(relative(build, each)));
    if (wrong !== undefined) {
      if (path === join(build, entry))
        throw new Error(`${entry} cannot start without ${relative(build, wrong)}`);
      cut.add(path);
      continue;
    }
    for (const each of all) {
      if (files.has(each)) continue;
      files.add(each);
      const { later, starts } = edges(each);
      for (const start of starts) started.add(start);
      waiting.push(...[...later, ...starts].filter((next) => !files.has(next) && !cut.has(next)));
    }
  }
  const named = (paths: ReadonlySet<string>): string[] =>
    [...paths].map((path) => relative(build, path)).sort();
  const packages = new Set([...files].flatMap((path) => edges(path).packages));
  return {
    files: named(files),
    started: named(started).filter((file) => files.has(join(build, file))),
    packages: [...packages].sort(),
    cut: named(cut),
  };
}
