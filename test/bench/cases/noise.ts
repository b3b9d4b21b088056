// Content that neither compresses nor repeats, for cases that are about bytes alone.

import { createWriteStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { HoldfastRepository } from "../peers/peer.ts";
import { seededNoise } from "../random.ts";
import { type Context, narrated } from "./context.ts";

/** Backs so many random bytes up from a file in the folder `content`, which is made for it and removed after. */
export async function backUpNoise(
  { say }: Context,
  repository: HoldfastRepository,
  bytes: number,
  content: string,
): Promise<void> {
  mkdirSync(content);
  await pipeline(Readable.from(noiseOf(bytes)), createWriteStream(join(content, "random")));
  await narrated(say, `backup of ${bytes} random bytes`, () => repository.backup(content));
  rmSync(content, { recursive: true });
}

function* noiseOf(bytes: number): Generator<Buffer> {
  const noise = seededNoise("seeding");
  const piece = 2 ** 20;
  for (let left = bytes; left > 0; left -= piece) yield noise(Math.min(piece, left));
}
