// Opens the file of a closed pack.

import { constants } from "node:fs";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { closeDescriptor, errnoOf, fileError, openDescriptor, readFully } from "../../store/files.ts";
import { closedPackPath, openPackPath } from "../../store/packPaths.ts";
import type { ReadPack } from "./packSource.ts";
import type { PendingPack } from "./pendingPacks.ts";

export type OpenedPack = { readonly read: ReadPack; readonly close: () => Promise<void> };

/**
 * Opens a pack of the vault in `directory` for reading. What is read is not proven.
 * @throws HoldfastError chunk-missing, io-error
 */
export async function openLocalPack(directory: string, { name, ordinal }: PendingPack): Promise<OpenedPack> {
  const closed = closedPackPath(directory, name);
  // A pack that is just being closed has its name before it is renamed.
  for (const path of [closed, openPackPath(directory, ordinal), closed]) {
    try {
      const fd = await openDescriptor(path, constants.O_RDONLY);
      return { read: (into, position) => readAt(fd, path, into, position), close: () => closeDescriptor(fd) };
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw fileError(error, path);
    }
  }
  throw new HoldfastError(ErrorCode.chunkMissing, `the file of pack ${toHex(name)} is missing`, {
    detail: { pack: toHex(name) },
  });
}

async function readAt(fd: number, path: string, into: Buffer, position: number): Promise<number> {
  try {
    return await readFully(fd, into, position);
  } catch (error) {
    throw fileError(error, path);
  }
}
