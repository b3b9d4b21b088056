// Where the data of a file is, and reading it in pieces.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { View, ViewNode } from "../view/view.ts";
import { cutShort, naming } from "./naming.ts";

/** A run of data in a file; between runs there are holes. */
export type Run = { readonly offset: number; readonly length: number };

/** A run of a file's content that belongs into the archive. */
export type ContentPart = Run & { readonly path: Buffer; readonly node: ViewNode };

/** The runs of data of a file in order, neighbours as one. @throws HoldfastError as View.extentAt, naming the path */
export async function* dataRuns(
  view: View,
  node: ViewNode,
  path: Uint8Array,
): AsyncGenerator<Run, void, void> {
  const size = Number(node.attributes.size);
  let run: { offset: number; length: number } | undefined;
  for (let at = 0; at < size; ) {
    const extent = await named(path, view.extentAt(node, BigInt(at)));
    const end = extent === undefined ? at : Math.min(size, Number(extent.offset + extent.length));
    if (extent === undefined || end <= at) {
      throw naming(path, new HoldfastError(ErrorCode.corrupt, `its extents end at ${at} of ${size} bytes`));
    }
    if (extent.hole) {
      if (run !== undefined) yield run;
      run = undefined;
    } else if (run === undefined) run = { offset: at, length: end - at };
    else run.length += end - at;
    at = end;
  }
  if (run !== undefined) yield run;
}

/** A part in pieces of at most `bytesMax`. */
export function* pieces(part: ContentPart, bytesMax: number): Generator<ContentPart, void, void> {
  for (let done = 0; done < part.length; done += bytesMax) {
    yield { ...part, offset: part.offset + done, length: Math.min(bytesMax, part.length - done) };
  }
}

/** The bytes of a piece, all of them. @throws HoldfastError as View.read, naming the path */
export async function readPiece(view: View, piece: ContentPart, signal: AbortSignal): Promise<Buffer> {
  const { node, path, offset, length } = piece;
  const bytes = await named(path, view.read(node, BigInt(offset), length, signal));
  if (bytes.length !== length) throw cutShort(path, length, bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What a promise brings; its failure names the path. */
export async function named<T>(path: Uint8Array, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw naming(path, error);
  }
}
