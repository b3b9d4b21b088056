// A tar archive as bytes: what is to be read is read a little ahead, also across small files.
//
// Invariant: an archive that fails is not whole to any program that unpacks it. Where it would end between two members, which GNU tar
// takes for a proper end, a member is begun there that is cut off.

import type { View } from "../../view/view.ts";
import { inOrderAhead } from "../ahead.ts";
import type { ProgressCount } from "../archiveTypes.ts";
import { pieces, readPiece } from "../content.ts";
import type { TarPart } from "./tarParts.ts";
import { TarType, ustarBlock } from "./ustar.ts";

const MiB = 1024 * 1024;
const pieceBytes = MiB;
const aheadBytes = 16 * MiB;
/** Headers and small files that may wait. */
const itemsAhead = 4096;

export async function* tarBytes(
  view: View,
  parts: AsyncGenerator<TarPart, void, void>,
  signal: AbortSignal | undefined,
  progress: ProgressCount,
): AsyncGenerator<Buffer, void, void> {
  const items = inOrderAhead(inPieces(parts), {
    begin: async (part, stop) => ("bytes" in part ? part.bytes : readPiece(view, part, stop)),
    weigh: (part) => ("bytes" in part ? part.bytes.length : part.length),
    weightMax: aheadBytes,
    itemsMax: itemsAhead,
    signal,
  });
  let between = true;
  try {
    for await (const { item, result } of items) {
      if (!("bytes" in item)) progress.add(item.node, item.length);
      between = "bytes" in item && item.ends;
      yield result;
    }
  } catch (error) {
    if (between) yield cutMember;
    throw error;
  }
}

/** The header of a pax member whose records do not follow: unpacking fails here, and leaves nothing behind. */
const cutMember = ustarBlock({ type: TarType.pax, name: Buffer.from("not-whole"), mode: 0o644, size: 512 });

async function* inPieces(parts: AsyncGenerator<TarPart, void, void>): AsyncGenerator<TarPart, void, void> {
  for await (const part of parts) {
    if ("bytes" in part) yield part;
    else yield* pieces(part, pieceBytes);
  }
}
