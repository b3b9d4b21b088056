// What is in a whole pack, wherever it is: its header, trailer and footer.

import { constants } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PackRow } from "../index/packTable.ts";
import type { Elsewhere } from "./evictedRecords.ts";
import { closeDescriptor, errnoOf, fileError, openDescriptor, readFully } from "./files.ts";
import { closedPackPath } from "./packPaths.ts";
import { PackTail, readTailOf } from "./packTails.ts";

/**
 * `directory`: the vault's.
 * @throws HoldfastError chunk-missing, corrupt, truncated, unsupported, io-error; as RemotePacks.tail for an evicted pack
 */
export async function readPackTail(
  directory: string,
  pack: PackRow,
  elsewhere: Elsewhere | undefined,
): Promise<Buffer> {
  if (pack.name === undefined) throw new Error("an open pack has no tail");
  if (pack.state === "evicted" && elsewhere !== undefined) {
    return (await elsewhere.tails.get(pack, () => elsewhere.remote.tail(pack))).bytes;
  }
  const path = closedPackPath(directory, pack.name);
  let fd: number;
  try {
    fd = await openDescriptor(path, constants.O_RDONLY);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, path);
    throw new HoldfastError(ErrorCode.chunkMissing, `the file of pack ${pack.ordinal} is missing`);
  }
  try {
    const tail = await readTailOf(pack, async (offset, length) => {
      const bytes = Buffer.alloc(length);
      if ((await readFully(fd, bytes, offset)) === length) return bytes;
      throw new HoldfastError(ErrorCode.truncated, `pack ${pack.ordinal} ends early`);
    });
    return new PackTail(tail, pack).bytes;
  } catch (error) {
    throw fileError(error, path);
  } finally {
    await closeDescriptor(fd);
  }
}
