// A folder or file of a snapshot as an archive: streamed, in bounded memory, without a temporary file.
//
// Invariant: what cannot be read ends the stream with an error that names it, before the archive's own end mark. No program takes
// such an archive for whole, and none holds zeros or less in the place of content.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { isLegalName } from "../../vault/tree/entry.ts";
import type { View, ViewNode } from "../view/view.ts";
import { type ArchiveOptions, noteTaker, ProgressCount } from "./archiveTypes.ts";
import { coalesced } from "./coalesce.ts";
import { tarBytes } from "./tar/tarBytes.ts";
import { tarParts } from "./tar/tarParts.ts";
import { walkNodes } from "./walk.ts";
import { storedZipBytes, zipBytes } from "./zip/zipBytes.ts";
import { zipEntries } from "./zip/zipEntry.ts";

/**
 * The archive's bytes, read as they are asked for. Leaving the loop early stops all reading.
 * @throws HoldfastError usage for what is not inside a snapshot or has no legal name; then whatever reading fails with: for damage
 * of a file or folder its path is in the message
 */
export function archive(
  view: View,
  node: ViewNode,
  options: ArchiveOptions,
): AsyncGenerator<Buffer, void, void> {
  const { signal, format, compress = true } = options;
  const name = nameOf(node, options);
  const nodes = (): ReturnType<typeof walkNodes> => walkNodes(view, node, name, signal);
  const note = noteTaker(options.onNote);
  const progress = new ProgressCount(options.onProgress);
  if (format === "tar") return coalesced(tarBytes(view, tarParts(view, nodes(), note), signal, progress));
  let walks = 0;
  // The second walk is for the list at the end: what is left out was told in the first.
  const entries = (): ReturnType<typeof zipEntries> => zipEntries(nodes(), walks++ === 0 ? note : silent);
  return coalesced(zipBytes(view, entries, { compress, signal, progress }));
}

/**
 * How many bytes `archive` gives, from metadata alone: goes through the whole tree. Undefined where only the content tells, which
 * is so for a ZIP archive unless `compress` is false.
 */
export async function archiveBytes(
  view: View,
  node: ViewNode,
  options: ArchiveOptions,
): Promise<number | undefined> {
  const { format, compress = true, signal } = options;
  const name = nameOf(node, options);
  const nodes = (): ReturnType<typeof walkNodes> => walkNodes(view, node, name, signal);
  if (format === "zip") return compress ? undefined : storedZipBytes(() => zipEntries(nodes(), silent));
  let bytes = 0;
  for await (const part of tarParts(view, nodes(), silent))
    bytes += "bytes" in part ? part.bytes.length : part.length;
  return bytes;
}

function silent(): void {}

function nameOf(node: ViewNode, { name }: ArchiveOptions): Buffer | undefined {
  if (!node.immutable) {
    throw new HoldfastError(ErrorCode.usage, "only what is inside a snapshot can be had as an archive", {
      next: "Name a snapshot's folder, or a file or folder in it.",
    });
  }
  if (name === undefined) {
    if (node.attributes.kind === "directory") return undefined;
    throw new HoldfastError(ErrorCode.usage, "a file needs a name in its archive");
  }
  if (!isLegalName(name)) throw new HoldfastError(ErrorCode.usage, "not a name for what is in an archive");
  return Buffer.from(name);
}
