// The packages of node_modules that go into ours: by the lock file, for a processor, and of their files what runs.

import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { runTool } from "./tools.ts";

type Locked = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optional?: boolean;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: string | readonly string[];
};

export type Lock = { readonly packages: Readonly<Record<string, Locked>> };

/** Processors by Node's names. */
export type Cpu = "x64" | "arm64";

export function readLock(root: string): Lock {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
}

function fits({ os, cpu, libc }: Locked, wanted: Cpu): boolean {
  const takes = (list: string | readonly string[] | undefined, value: string): boolean =>
    list === undefined || [list].flat().includes(value);
  return takes(os, "linux") && takes(cpu, wanted) && takes(libc, "glibc");
}

/** Where Node finds a package from the folder of another: its own node_modules first, then those above. */
function find(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, folder.lastIndexOf("/node_modules/"))) {
    const place = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (place in lock.packages) return place;
    if (!folder.includes("/node_modules/"))
      return from === "" || folder === "" ? undefined : find(lock, "", name);
  }
}

/**
 * Folders (as the lock file names them) of these packages and of all that they depend on, for a processor. Throws where one that is not
 * optional is missing in the lock file.
 */
export function dependenciesOf(lock: Lock, names: readonly string[], cpu: Cpu): string[] {
  const found = new Set<string>();
  const add = (from: string, name: string, optional: boolean): void => {
    const place = find(lock, from, name);
    const row = place === undefined ? undefined : lock.packages[place];
    if (place === undefined || row === undefined || !fits(row, cpu)) {
      if (optional || row?.optional === true) return;
      throw new Error(
        `${name}, which ${from || "the program"} needs, is not in package-lock.json for ${cpu}`,
      );
    }
    if (found.has(place)) return;
    found.add(place);
    for (const each of Object.keys(row.dependencies ?? {})) add(place, each, false);
    for (const each of Object.keys(row.optionalDependencies ?? {})) add(place, each, true);
    for (const each of Object.keys(row.peerDependencies ?? {})) add(place, each, true);
  };
  for (const name of names) add("", name, false);
  return [...found].sort();
}

/** Native parts for other systems, other C libraries, and other Nodes than the one that comes along. */
const forOthers =
  /^(?:node\.abi\d+\..*|.*\.musl\.node|musl_\w+|electron\..*|(?:darwin|win32|android|freebsd|openbsd)-\w+)$/;

const notRun = /\.(?:d\.[cm]?ts|map|md|markdown|c|cc|cpp|h|gyp|gypi|hpp|inc|flow|tsbuildinfo)$/i;
const foldersNotRun: readonly string[] = [
  ...["test", "tests", "__tests__", "example", "examples", "bench", "benchmark", "benchmarks", "coverage"],
  ...["doc", "docs", "man", "include", "share", "dist-types", "dist-es", ".github", "vendor"],
];

/** False for what our program does not load: types, sources of native parts, others' native parts, documentation, tests. Licences stay. */
function isRun(folder: string, path: string): boolean {
  if (path === folder) return true;
  const name = basename(path);
  if (/^(?:licen[cs]e|copying|notice)/i.test(name)) return true;
  if (dirname(path) === folder && foldersNotRun.includes(name) && statSync(path).isDirectory()) return false;
  return !notRun.test(name) && !forOthers.test(name);
}

/** Copies packages from where they are installed. Throws where one that is not optional is not. */
export function copyDependencies(lock: Lock, places: readonly string[], from: string, to: string): void {
  for (const place of places) {
    const source = join(from, place);
    if (!existsSync(source)) {
      if (lock.packages[place]?.optional === true && !isNeeded(place)) continue;
      throw new Error(`${source} is not installed: npm ci`);
    }
    mkdirSync(dirname(join(to, place)), { recursive: true });
    const filter = (path: string): boolean =>
      isRun(source, path) && !(path !== source && basename(path) === "node_modules");
    cpSync(source, join(to, place), { recursive: true, filter });
  }
  // Some packages have files with the setuid bit, which would be root's with us.
  runTool("chmod", ["-R", "u=rwX,go=rX", to]);
}

/** Optional in the lock file for the sake of other systems alone. */
function isNeeded(place: string): boolean {
  return /\/(?:node-linux|koffi-linux|lmdb-linux)-/.test(place);
}
