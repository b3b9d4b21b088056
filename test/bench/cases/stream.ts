// What a program prints against a file of the same bytes and name, each by a device of its own that finds nothing of the other's.

import { join } from "node:path";
import type { Corpus } from "../corpus/corpus.ts";
import { IMAGE_NAME } from "../corpus/image.ts";
import { prepareCaches } from "../measure/caches.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import { type Context, narrated } from "./context.ts";

export async function measureStream(
  context: Context,
  own: HoldfastRepository,
  corpus: Corpus,
): Promise<void> {
  const { samples } = context;
  const source = join(corpus.image, IMAGE_NAME);
  for (const row of ["stream-file", "stream-program"] as const) {
    const device = await own.enrollAnother(row, "isolated");
    prepareCaches(context.caches, [source], context.dir);
    const { step, addedBytes, reported } = await narrated(context.say, row, () =>
      row === "stream-file" ? device.backup(source) : device.backUpOutput(`cat '${source}'`, IMAGE_NAME),
    );
    samples.addStep(row, PeerName.holdfast, step);
    samples.addReported(row, PeerName.holdfast, { added_bytes: addedBytes, ...reported });
  }
}
