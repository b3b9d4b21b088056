// A tar archive as bytes: what is to be read is read a little ahead, also across small files.

import type { View } from "../../view/view.ts";
import { inOrderAhead } from "../ahead.ts";
import type { ProgressCount } from "../archiveTypes.ts";
import { pieces, readPiece } from "../content.ts";
import type { TarPart } from "./tarParts.ts";

const MiB = 1024 * 1024;
const pieceBytes = MiB;
const aheadBytes = 8 * MiB;
/** Headers and small files that may wait. */
const itemsAhead = 512;

export async function* tarBytes(
  view: View,
  parts: AsyncGenerator<TarPart, void, void>,
  signal: AbortSignal | undefined,
  progress: ProgressCount,
): AsyncGenerator<Buffer, void, void> {
  const items = inOrderAhead(inPieces(parts), {
    begin: async (part, stop) => (Buffer.isBuffer(part) ? part : readPiece(view, part, stop)),
    weigh: (part) => part.length,
    weightMax: aheadBytes,
    itemsMax: itemsAhead,
    signal,
  });
  for await (const { item, result } of items) {
    if (!Buffer.isBuffer(item)) progress.add(item.node, item.length);
    yield result;
  }
}

async function* inPieces(parts: AsyncGenerator<TarPart, void, void>): AsyncGenerator<TarPart, void, void> {
  for await (const part of parts) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* pieces(part, pieceBytes);
  }
}
