// Files with holes as GNU tar writes them in pax archives (format 1.0): a map of the data in decimal lines, padded to a block,
// then the data without the holes.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { View, ViewNode } from "../../view/view.ts";
import { dataRuns, type Run } from "../content.ts";
import { naming } from "../naming.ts";
import { blockBytes, paddingAfter } from "./ustar.ts";

/** What is known of a file's runs after going through them once. */
export type RunCount = {
  readonly runs: number;
  readonly dataBytes: number;
  /** Characters of the lines for them. */
  readonly textBytes: number;
  /** Where the last run ends. */
  readonly end: number;
};

export async function countRuns(view: View, node: ViewNode, path: Uint8Array): Promise<RunCount> {
  const count = { runs: 0, dataBytes: 0, textBytes: 0, end: 0 };
  for await (const run of dataRuns(view, node, path)) {
    count.runs += 1;
    count.dataBytes += run.length;
    count.textBytes += lines(run).length;
    count.end = run.offset + run.length;
  }
  return count;
}

/** Bytes of the map, padding included. */
export function mapBytes(count: RunCount, size: number): number {
  const text = head(count, size).length + count.textBytes + tail(count, size).length;
  return text + paddingAfter(text);
}

/** The map in pieces of a few blocks: it may have a million lines. */
export async function* sparseMap(
  view: View,
  node: ViewNode,
  path: Uint8Array,
  count: RunCount,
): AsyncGenerator<Buffer, void, void> {
  const size = Number(node.attributes.size);
  let text = head(count, size);
  let written = 0;
  for await (const run of dataRuns(view, node, path)) {
    text += lines(run);
    if (text.length < pieceBytes) continue;
    written += text.length;
    yield Buffer.from(text, "latin1");
    text = "";
  }
  text += tail(count, size);
  written += text.length;
  yield Buffer.from(text + "\0".repeat(paddingAfter(written)), "latin1");
  if (written + paddingAfter(written) !== mapBytes(count, size)) {
    throw naming(path, new HoldfastError(ErrorCode.corrupt, "its extents are not the same when read again"));
  }
}

const pieceBytes = 32 * blockBytes;

function lines({ offset, length }: Run): string {
  return `${offset}\n${length}\n`;
}

function head(count: RunCount, size: number): string {
  return `${count.runs + (count.end < size ? 1 : 0)}\n`;
}

/** A run of nothing at the end of the file says how long the last hole is. */
function tail(count: RunCount, size: number): string {
  return count.end < size ? lines({ offset: size, length: 0 }) : "";
}
