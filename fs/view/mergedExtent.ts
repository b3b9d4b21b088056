// Extents as a front-end shows them: neighbours of one kind are one, or a copy would take a step per chunk.

import type { PlacedExtent } from "./contentReader.ts";
import type { TextNode } from "./folderNodes.ts";
import type { Extent } from "./view.ts";

const mergedExtentsMax = 1024;

/** The first of these extents, grown by those that follow and are of its kind; undefined where there is none. */
export async function mergedExtent(extents: AsyncIterable<PlacedExtent>): Promise<Extent | undefined> {
  let merged: { start: number; end: number; hole: boolean } | undefined;
  let steps = 0;
  for await (const { start, length, hole } of extents) {
    if (merged !== undefined && (merged.hole !== hole || steps === mergedExtentsMax)) break;
    merged = { start: merged?.start ?? start, end: start + length, hole };
    steps++;
  }
  if (merged === undefined) return undefined;
  return { offset: BigInt(merged.start), length: BigInt(merged.end - merged.start), hole: merged.hole };
}

/** The same of a text, which has no holes. */
export function extentOfText({ bytes }: TextNode, offset: bigint): Extent | undefined {
  if (offset >= BigInt(bytes.length)) return undefined;
  return { offset: 0n, length: BigInt(bytes.length), hole: false };
}
