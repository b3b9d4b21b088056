// What goes into a ZIP archive, and under which name. Devices and FIFOs have no place in one.

import { isUtf8 } from "node:buffer";
import type { Attributes, View, ViewNode } from "../../view/view.ts";
import type { NoteTaker } from "../archiveTypes.ts";
import { named } from "../content.ts";
import type { WalkedNode } from "../walk.ts";

/** Content up to this size is compressed before its header is written; larger content in blocks of this size after it. */
export const blockBytes = 1024 * 1024;
const nameBytesMax = 0xffff;

export type ZipEntry = {
  readonly node: ViewNode;
  readonly attributes: Attributes;
  /** Inside the archive. */
  readonly path: Buffer;
  /** The same as ZIP writes it: a directory's ends with a slash. */
  readonly name: Buffer;
  /** Bytes of content; a symbolic link's is its target. */
  readonly size: number;
  /** Sizes and checksum come after the content, not before it. */
  readonly streamed: boolean;
};

/** Notes what is left out. Going through the same tree again gives the same entries. */
export async function* zipEntries(
  nodes: AsyncGenerator<WalkedNode, void, void>,
  note: NoteTaker,
): AsyncGenerator<ZipEntry, void, void> {
  for await (const { node, path } of nodes) {
    const { attributes } = node;
    const directory = attributes.kind === "directory";
    const name = directory ? Buffer.concat([path, slash]) : path;
    if (attributes.kind === "socket") {
      note("info", path, "a socket: left out, as only its program can make it");
    } else if (!directory && attributes.kind !== "file" && attributes.kind !== "symlink") {
      note("warning", path, "left out: ZIP has no place for devices and FIFOs, tar has");
    } else if (name.length > nameBytesMax) {
      note("warning", path, "left out: its path is longer than ZIP can hold, tar can");
    } else {
      if (!isUtf8(name)) note("warning", path, notUtf8);
      const size = directory ? 0 : Number(attributes.size);
      yield { node, attributes, path, name, size, streamed: size > blockBytes };
    }
  }
}

const notUtf8 =
  "its name is not UTF-8, which ZIP cannot say: programs that unpack it may give it another one; tar keeps it";
const slash = Buffer.from("/");

/** The bytes of a symbolic link's target. */
export async function targetOf(view: View, { node, path }: ZipEntry): Promise<Buffer> {
  const target = await named(path, view.readlink(node));
  return Buffer.from(target.buffer, target.byteOffset, target.byteLength);
}
