// Closing a pack: trailer and footer, read back through a new descriptor, name in the pack table, rename.

import { constants, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { encodeFooter, openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { encodeTrailer } from "../../vault/pack/trailer.ts";
import type { PackTable } from "../index/packTable.ts";
import {
  closeDescriptor,
  fileError,
  fstat,
  fsync,
  ftruncate,
  openDescriptor,
  readFully,
  syncDirectory,
  writeFully,
} from "./files.ts";
import type { OpenPack } from "./openPack.ts";
import { closedPackFolder, closedPackPath, openFolder } from "./packPaths.ts";

export type FinishPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  readonly flushWith: (change: () => void) => Promise<void>;
};

/**
 * Closes a pack whose rows are all accepted. On failure the file is as before (or, once the pack table knows its name,
 * whole) and the call may be repeated.
 * @throws HoldfastError disk-full, io-error; chunk-damaged when the trailer does not read back
 */
export async function finishPack(pack: OpenPack, port: FinishPort): Promise<void> {
  const known = port.packs.get(pack.ordinal);
  try {
    if (known?.state === "open") await nameAndClose(pack, port);
    const name = port.packs.get(pack.ordinal)?.name;
    if (name === undefined) throw new Error(`pack ${pack.ordinal} has no name after closing`);
    await moveToName(pack.path, name, port.directory);
  } catch (error) {
    throw fileError(error, pack.path);
  }
  await closeDescriptor(pack.fd);
}

async function nameAndClose(pack: OpenPack, port: FinishPort): Promise<void> {
  const trailer = encodeTrailer([...pack.rows]);
  const footer = encodeFooter({
    kind: pack.kind,
    nonce: pack.nonce,
    trailerOffset: pack.durableBytes,
    trailer,
  });
  const tail = Buffer.concat([trailer, footer]);
  const bytes = pack.durableBytes + tail.length;
  try {
    await writeFully(pack.fd, [tail], pack.durableBytes);
    await fsync(pack.fd);
    await checkTail(pack.path, bytes, tail);
  } catch (error) {
    await ftruncate(pack.fd, pack.durableBytes);
    throw error;
  }
  const name = pack.hashWith(tail);
  const records = pack.rows.length;
  await port.flushWith(() => port.packs.close(pack.ordinal, { name, bytes, records }));
}

/** Reads a pack's end through a new descriptor and compares it with what was meant. */
async function checkTail(path: string, bytes: number, tail: Buffer): Promise<void> {
  const fd = await openDescriptor(path, constants.O_RDONLY);
  try {
    const { size } = await fstat(fd);
    const found = Buffer.allocUnsafe(tail.length);
    const read = await readFully(fd, found, bytes - tail.length);
    if (size !== bytes || read !== tail.length || !found.equals(tail)) {
      throw new HoldfastError(
        ErrorCode.chunkDamaged,
        `the end of pack ${path} does not read back as written`,
      );
    }
    openTrailer(parseFooter(found, size), found.subarray(0, found.length - Width.footer));
  } finally {
    await closeDescriptor(fd);
  }
}

/** Renames a finished pack from open/ to its name and makes both directories durable. */
export async function moveToName(path: string, name: Uint8Array, directory: string): Promise<void> {
  const folder = closedPackFolder(directory, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const target = closedPackPath(directory, asBuffer(name));
  // A try before this one may have come as far as the rename.
  if (existsSync(path) || !existsSync(target)) await rename(path, target);
  // The folders above each time too: who made them may have been killed before these syncs.
  await syncDirectory(folder);
  await syncDirectory(join(directory, "packs"));
  await syncDirectory(directory);
  await syncDirectory(openFolder(directory));
}

/** Removes a pack that holds nothing. */
export async function discardPack(pack: OpenPack, packs: PackTable): Promise<void> {
  await closeDescriptor(pack.fd);
  await rm(pack.path, { force: true });
  packs.remove(pack.ordinal);
}
