// Edits of small files, the way people edit: half of them have a few bytes replaced in the middle, half have a line
// added at the end. The originals are kept beside the tree, so every run starts from and comes to the same bytes.

import { cpSync, lstatSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BenchFailure } from "../failure.ts";
import { seededSample } from "../random.ts";

const SMALLEST = 64;
const LARGEST = 64 * 1024;

/** Chooses `count` small files of the tree and keeps copies in `home`/originals. Paths are relative to `tree`. */
export function saveOriginals(
  home: string,
  tree: string,
  files: readonly string[],
  count: number,
  seed: string,
): void {
  const small = files.filter((path) => {
    const stat = lstatSync(join(tree, path));
    return stat.nlink === 1 && stat.size >= SMALLEST && stat.size <= LARGEST;
  });
  if (small.length < count)
    throw new BenchFailure(`the corpus has ${small.length} small files, ${count} are to be edited`);
  const chosen = seededSample(`${seed}/edits`, count, small.length).map((at) => small[at] as string);
  for (const path of chosen) {
    const copy = join(home, "originals", path);
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(join(tree, path), copy, { preserveTimestamps: true });
  }
  writeFileSync(join(home, "edited.json"), JSON.stringify(chosen));
}

/** Edits every chosen file in place: same inode, new times, other bytes. */
export function editFiles(home: string): void {
  for (const [at, path] of editedPaths(home).entries()) editFile(home, at, path, `edit ${at} of ${path}\n`);
}

/** The same with `count` of the chosen files, other ones with every step until all had their turn, and other bytes with every step. */
export function editSomeFiles(home: string, step: number, count: number): void {
  const paths = editedPaths(home);
  for (let i = 0; i < count; i++) {
    const at = (step * count + i) % paths.length;
    const path = paths[at] as string;
    editFile(home, at, path, `step ${step}, edit ${at} of ${path}\n`);
  }
}

function editFile(home: string, at: number, path: string, mark: string): void {
  const file = join(home, "tree", path);
  const content = readFileSync(join(home, "originals", path));
  if (at % 2 === 0) {
    content.write(mark.slice(0, 24), content.length >> 1);
    writeFileSync(file, content);
  } else writeFileSync(file, Buffer.concat([content, Buffer.from(mark)]));
}

/** Gives every edited file its original bytes and modification time back; files that already have both are left alone. */
export function revertFiles(home: string): void {
  for (const path of editedPaths(home)) {
    const file = join(home, "tree", path);
    const original = join(home, "originals", path);
    const [now, then] = [lstatSync(file), lstatSync(original)];
    if (now.size === then.size && Math.abs(now.mtimeMs - then.mtimeMs) < 1) continue;
    writeFileSync(file, readFileSync(original));
    utimesSync(file, then.atime, then.mtime);
  }
}

function editedPaths(home: string): string[] {
  return JSON.parse(readFileSync(join(home, "edited.json"), "utf8")) as string[];
}
