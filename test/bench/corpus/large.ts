// Inputs of the large cases: very many small files, and one file of holes and data.

import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { seededNoise, seededRandom } from "../random.ts";
import type { LargeScale } from "../scale.ts";

const WORDS =
  "backup chunk record pack tree snapshot vault gateway agent device replica receipt seed job".split(" ");
const STRETCH = 4 << 20;

/** Writes `scale.files` files of 0.2 to 4 KB of different text under DIR/files; reuses a finished tree. */
export function prepareManyFiles(dir: string, scale: LargeScale, seed: string): string {
  const root = join(dir, "files");
  const finished = join(dir, `files-${scale.files}-${seed}.made`);
  if (existsSync(finished)) return root;
  rmSync(root, { recursive: true, force: true });
  const random = seededRandom(`${seed}/many`);
  for (let at = 0; at < scale.files; at++) {
    const folder = join(root, `folder-${Math.floor(at / scale.filesPerFolder)}`);
    if (at % scale.filesPerFolder === 0) mkdirSync(folder, { recursive: true });
    const words = Array.from({ length: 20 + random.integer(380) }, () => WORDS[random.integer(WORDS.length)]);
    writeFileSync(join(folder, `file-${at}.txt`), `${at} ${words.join(" ")}\n`);
  }
  writeFileSync(finished, "");
  return root;
}

/** Writes one file of `scale.sparseBytes` with data in random stretches of 4 MiB, half text and half noise. */
export function prepareSparseFile(dir: string, scale: LargeScale, seed: string): string {
  const root = join(dir, "sparse");
  const finished = join(dir, `sparse-${scale.sparseBytes}-${seed}.made`);
  if (existsSync(finished)) return root;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const random = seededRandom(`${seed}/sparse`);
  const noise = seededNoise(`${seed}/sparse`);
  const file = openSync(join(root, "sparse.img"), "w");
  try {
    ftruncateSync(file, scale.sparseBytes);
    for (let written = 0; written < scale.sparseDataBytes; written += STRETCH) {
      const at = random.integer(Math.floor(scale.sparseBytes / STRETCH)) * STRETCH;
      const text = `${written} ${WORDS[random.integer(WORDS.length)]} `;
      writeSync(
        file,
        written % (2 * STRETCH) === 0 ? noise(STRETCH) : Buffer.alloc(STRETCH, text),
        0,
        STRETCH,
        at,
      );
    }
  } finally {
    closeSync(file);
  }
  writeFileSync(finished, "");
  return root;
}
