// A file that looks like a virtual machine's disk: runs of real files at 4 KiB block boundaries (as a file system lays
// them out), runs of incompressible bytes, and runs of zeros, in an order that depends on the seed alone.

import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededNoise, seededRandom, seededSample } from "../random.ts";
import type { Scale } from "../scale.ts";

const BLOCK = 4096;
const SMALLEST_RUN = 64 * 1024;
const LARGEST_RUN = 4 << 20;

type Regions = { readonly length: number; readonly offsets: readonly number[] };

/** The image's name in its folder. */
export const IMAGE_NAME = "disk.img";

const imageFile = (home: string): string => join(home, "image", IMAGE_NAME);
const regionsFile = (home: string): string => join(home, "regions.json");
const savedFile = (home: string): string => join(home, "regions.bin");

/** Writes the image: about 45 % real file bytes, 35 % noise, 20 % zeros. */
export function buildImage(
  home: string,
  tree: string,
  files: readonly string[],
  scale: Pick<Scale, "imageBytes">,
  seed: string,
): void {
  const random = seededRandom(`${seed}/image`);
  const noise = seededNoise(`${seed}/noise`);
  const real = realBlocks(tree, files);
  const image = openSync(imageFile(home), "w");
  try {
    for (let at = 0; at < scale.imageBytes; ) {
      const length = Math.min(runLength(random), scale.imageBytes - at);
      const kind = random.integer(100);
      const run = kind < 45 ? real(length) : kind < 80 ? noise(length) : Buffer.alloc(length);
      writeSync(image, run, 0, length, at);
      at += length;
    }
  } finally {
    closeSync(image);
  }
}

function runLength(random: Random): number {
  return Math.ceil((SMALLEST_RUN + random.integer(LARGEST_RUN - SMALLEST_RUN)) / BLOCK) * BLOCK;
}

// Files one after the other, each padded to whole blocks; starts over when all were used.
function realBlocks(tree: string, files: readonly string[]): (length: number) => Buffer {
  let next = 0;
  let rest = Buffer.alloc(0);
  return (length) => {
    const parts = [rest];
    for (let have = rest.length; have < length; ) {
      const content = readFileSync(join(tree, files[next++ % files.length] as string));
      const padded = Buffer.alloc(Math.ceil(Math.max(content.length, 1) / BLOCK) * BLOCK);
      content.copy(padded);
      parts.push(padded);
      have += padded.length;
    }
    const joined = Buffer.concat(parts);
    rest = joined.subarray(length);
    return joined.subarray(0, length);
  };
}

/** Chooses the regions to be edited (block aligned, never overlapping) and keeps their bytes beside the image. */
export function saveRegions(
  home: string,
  scale: Pick<Scale, "imageBytes" | "imageEdits" | "imageEditBytes">,
  seed: string,
): void {
  const length = scale.imageEditBytes;
  // One region per slot of twice its length, at a random block within the slot's first half.
  const random = seededRandom(`${seed}/regions`);
  const slots = seededSample(`${seed}/slots`, scale.imageEdits, Math.floor(scale.imageBytes / (2 * length)));
  const offsets = slots.map((slot) => slot * 2 * length + random.integer(length / BLOCK) * BLOCK);
  const image = openSync(imageFile(home), "r");
  const saved = Buffer.alloc(length * offsets.length);
  for (const [at, offset] of offsets.entries()) readSync(image, saved, at * length, length, offset);
  closeSync(image);
  writeFileSync(savedFile(home), saved);
  writeFileSync(regionsFile(home), JSON.stringify({ length, offsets } satisfies Regions));
}

/** Overwrites every region in place with incompressible bytes. */
export function editImage(home: string, seed: string): void {
  const noise = seededNoise(`${seed}/image edits`);
  overwrite(home, (_at, length) => noise(length));
}

/** Gives every region its first bytes back. */
export function revertImage(home: string): void {
  const saved = readFileSync(savedFile(home));
  overwrite(home, (at, length) => saved.subarray(at * length, (at + 1) * length));
}

function overwrite(home: string, bytes: (at: number, length: number) => Buffer): void {
  const { length, offsets } = JSON.parse(readFileSync(regionsFile(home), "utf8")) as Regions;
  const image = openSync(imageFile(home), "r+");
  for (const [at, offset] of offsets.entries()) writeSync(image, bytes(at, length), 0, length, offset);
  closeSync(image);
}
