// The corpus on disk, under DIR/corpus-<mode>: tree/ (copies of real files), image/disk.img and manifest.json.
// Invariant: manifest.json is written last and names the recipe, so a half-made corpus is never used; revert() brings
// tree and image back to the bytes of the manifest before every run, also after a run that was killed.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BenchFailure } from "../failure.ts";
import type { Scale } from "../scale.ts";
import { editFiles, editSomeFiles, revertFiles, saveOriginals } from "./edits.ts";
import { type FlatFolder, prepareFlatFolder } from "./flat.ts";
import { buildImage, editImage, revertImage, saveRegions } from "./image.ts";
import { selectCorpus, sortedNames } from "./select.ts";

export type Corpus = {
  /** The folder of real files. */
  readonly tree: string;
  /** The folder that holds the disk image alone. */
  readonly image: string;
  /** A folder of many small files and nothing else. */
  readonly flat: FlatFolder;
  readonly files: number;
  readonly bytes: number;
  /** Like `bytes`, but files with several names in the tree count once. */
  readonly contentBytes: number;
  readonly imageBytes: number;
  /** Number of paths (files, folders, symlinks) in the tree, its top folder included. */
  readonly entries: number;
  readonly editTree: () => void;
  /** A few edits that differ with every step; see editSomeFiles. */
  readonly editSome: (step: number, count: number) => void;
  readonly editImage: () => void;
  /** Undoes both kinds of edit. */
  readonly revert: () => void;
};

type Manifest = {
  readonly recipe: string;
  readonly files: number;
  readonly bytes: number;
  readonly contentBytes: number;
  readonly entries: number;
};

const COPY = 'tar -C / --no-recursion --null --files-from=- -cf - | tar -C "$1" -xpf -';

/** Makes the corpus, or takes the one that an earlier run with the same recipe left in `dir`. */
export function prepareCorpus(dir: string, scale: Scale, seed: string, say: (line: string) => void): Corpus {
  const home = join(dir, `corpus-${scale.mode}`);
  const manifestFile = join(home, "manifest.json");
  const {
    flatFiles,
    offsiteFreeBytes: _,
    seedBytes: _b,
    seedPacks: _p,
    seedFreeBytes: _f,
    upkeep: _u,
    ...chosen
  } = scale;
  const recipe = createHash("sha256")
    .update(JSON.stringify([chosen, seed]))
    .digest("hex");
  let manifest = existsSync(manifestFile)
    ? (JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest)
    : undefined;
  if (manifest?.recipe !== recipe) {
    rmSync(home, { recursive: true, force: true });
    manifest = buildCorpus(home, scale, seed, recipe, say);
    writeFileSync(manifestFile, JSON.stringify(manifest));
  }
  const { files, bytes, contentBytes, entries } = manifest;
  if (files < scale.minFiles || bytes < scale.minBytes) {
    say(
      `WARNING: THIS MACHINE HAS TOO FEW FILES: ${files} files, ${bytes} bytes; ` +
        `the floor is ${scale.minFiles} files and ${scale.minBytes} bytes. The figures do not count.`,
    );
  }
  const image = join(home, "image");
  return {
    tree: join(home, "tree"),
    image,
    flat: prepareFlatFolder(dir, flatFiles),
    files,
    bytes,
    contentBytes,
    entries,
    imageBytes: scale.imageBytes,
    editTree: () => editFiles(home),
    editSome: (step, count) => editSomeFiles(home, step, count),
    editImage: () => editImage(home, seed),
    revert: () => {
      revertFiles(home);
      revertImage(home);
    },
  };
}

function buildCorpus(
  home: string,
  scale: Scale,
  seed: string,
  recipe: string,
  say: (line: string) => void,
): Manifest {
  const tree = join(home, "tree");
  mkdirSync(tree, { recursive: true });
  mkdirSync(join(home, "image"));
  say("corpus: choosing and copying real files");
  const selection = selectCorpus(scale);
  if (selection.files === 0) throw new BenchFailure(`no readable files in ${scale.trees.join(", ")}`);
  const list = selection.paths.map((path) => path.slice(1)).join("\0");
  execFileSync("sh", ["-c", COPY, "sh", tree], { input: list, stdio: ["pipe", "ignore", "pipe"] });
  const { regular, ...counts } = survey(tree);
  say(`corpus: making a disk image of ${scale.imageBytes} bytes`);
  buildImage(home, tree, regular, scale, seed);
  saveRegions(home, scale, seed);
  saveOriginals(home, tree, regular, scale.editedFiles, seed);
  return { recipe, files: regular.length, ...counts };
}

type Survey = Pick<Manifest, "bytes" | "contentBytes" | "entries"> & { readonly regular: readonly string[] };

// Counts what is really there after the copy.
function survey(tree: string): Survey {
  const regular: string[] = [];
  const linked = new Set<number>();
  let [entries, bytes, contentBytes] = [0, 0, 0];
  const visit = (path: string): void => {
    entries += 1;
    const stat = lstatSync(path);
    if (stat.isDirectory()) for (const name of sortedNames(path)) visit(join(path, name));
    if (!stat.isFile()) return;
    regular.push(path.slice(tree.length + 1));
    bytes += stat.size;
    if (!linked.has(stat.ino)) contentBytes += stat.size;
    if (stat.nlink > 1) linked.add(stat.ino);
  };
  visit(tree);
  return { regular, entries, bytes, contentBytes };
}
