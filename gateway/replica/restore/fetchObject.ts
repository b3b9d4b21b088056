// Objects of a replica, taken only when they are what their manifest or root says.

import { createHash, hash } from "node:crypto";
import { equalBytes } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { fillFileDurably, writeFully } from "../../store/files.ts";
import type { ReplicaStore } from "../replicaStore.ts";

export type ExpectedObject = {
  readonly key: string;
  readonly bytes: number;
  /** SHA-256 of all bytes. */
  readonly sha256: Uint8Array;
};

/** Bytes of an object that are in memory at a time when it goes to a file. */
const pieceBytes = 4 * 2 ** 20;

/** What is said of an object that is not what it should be. */
export function damagedObject(key: string, how: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.replicaDamaged, `${key} of the replica ${how}`, {
    next: "Restore from another replica; or see what --allow-damaged brings back without it.",
    detail: { object: key },
    cause,
  });
}

/** A range that must be there. @throws HoldfastError replica-damaged; as ReplicaStore.getRange */
export async function fetchRange(
  store: ReplicaStore,
  key: string,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  try {
    return await store.getRange(key, offset, length, signal);
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.notFound)) throw damagedObject(key, "is missing", error);
    if (isHoldfastError(error, ErrorCode.replicaDamaged)) throw damagedObject(key, "is too short", error);
    throw error;
  }
}

/** A whole object, in memory: for what has a limit. @throws HoldfastError replica-damaged; as ReplicaStore.getRange */
export async function fetchObject(
  store: ReplicaStore,
  expected: ExpectedObject,
  signal?: AbortSignal,
): Promise<Buffer> {
  const bytes = await fetchRange(store, expected.key, 0, expected.bytes, signal);
  if (!hash("sha256", bytes, "buffer").equals(expected.sha256)) {
    throw damagedObject(expected.key, "has other bytes than its hash says");
  }
  return bytes;
}

/**
 * A whole object, as a file that is durable under its name when this resolves; a few MiB of it are in memory. The folder exists.
 * `arrived` is told of bytes as they come.
 * @throws HoldfastError replica-damaged, disk-full, io-error; as ReplicaStore.getRange
 */
export async function fetchToFile(
  store: ReplicaStore,
  expected: ExpectedObject,
  path: string,
  options: { readonly signal: AbortSignal; readonly arrived: (bytes: number) => void },
): Promise<void> {
  const sum = createHash("sha256");
  await fillFileDurably(path, async (file) => {
    for (let at = 0; at < expected.bytes; at += pieceBytes) {
      const length = Math.min(pieceBytes, expected.bytes - at);
      const piece = await fetchRange(store, expected.key, at, length, options.signal);
      sum.update(piece);
      await writeFully(file.fd, [piece], at);
      options.arrived(piece.length);
    }
    if (!equalBytes(sum.digest(), expected.sha256)) {
      throw damagedObject(expected.key, "has other bytes than its hash says");
    }
  });
}
