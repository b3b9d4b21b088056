// Putting a good copy from this disk where a replica's is wrong. Bytes that have not the hash of their name heal nothing.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import type { NamedObject } from "../../../vault/replica/root.ts";
import type { PackRow } from "../../index/packTable.ts";
import { errnoOf } from "../../store/files.ts";
import { sha256, sourceOf } from "../chain/namedObjects.ts";
import { openLocalPack } from "../job/localPack.ts";
import { PackSource } from "../job/packSource.ts";
import type { ReplicaStore } from "../replicaStore.ts";

/**
 * Whether a pack was put there anew; false when its local file is missing or damaged.
 * @throws HoldfastError what the store throws
 */
export async function healPack(
  store: ReplicaStore,
  directory: string,
  pack: PackRow,
  key: string,
  signal: AbortSignal,
): Promise<boolean> {
  const name = asBuffer(pack.name!);
  try {
    const opened = await openLocalPack(directory, { ordinal: pack.ordinal, name, row: pack, put: true });
    try {
      await store.heal(key, new PackSource(name, pack.bytes, opened.read), { signal });
      return true;
    } finally {
      await opened.close();
    }
  } catch (error) {
    const here = [ErrorCode.chunkMissing, ErrorCode.chunkDamaged, ErrorCode.ioError];
    if (isHoldfastError(error) && here.some((code) => code === error.code)) return false;
    throw error;
  }
}

/** As `healPack`, for a snapshot object. */
export async function healSnapshot(
  store: ReplicaStore,
  directory: string,
  key: string,
  object: NamedObject,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const bytes = await readFile(join(directory, "snapshots", object.sha256));
    if (toHex(sha256(bytes)) !== object.sha256) return false;
    await store.heal(key, sourceOf(bytes), { signal });
    return (await store.getRange(key, 0, bytes.length, signal)).equals(bytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
