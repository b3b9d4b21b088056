// Reads the file of a snapshot.

import { readFile } from "node:fs/promises";
import { toHex } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { snapshotId } from "../vault/snapshot.ts";
import { errnoOf, fileError } from "./store/files.ts";

/**
 * The bytes of a snapshot object, proven by its id (64 hex digits).
 * @throws HoldfastError chunk-missing, chunk-damaged, io-error
 */
export async function readSnapshotObject(path: string, id: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, path);
    throw new HoldfastError(ErrorCode.chunkMissing, `the file of snapshot ${id} is missing`, {
      cause: error,
    });
  }
  if (toHex(snapshotId(bytes)) === id) return bytes;
  throw new HoldfastError(ErrorCode.chunkDamaged, `the file of snapshot ${id} is damaged`);
}
