// Looks at one local pack: is the file there, whole, and made of the bytes that its name is the hash of?

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import type { PackRow } from "../index/packTable.ts";
import { closeDescriptor, errnoOf, fstat, openDescriptor, readFully } from "../store/files.ts";
import { closedPackPath } from "../store/packPaths.ts";

export type PackCondition = "sound" | "missing" | "damaged" | "unreadable";

/** What was found, and in the system's or our words why it is not sound. */
export type PackFinding = { readonly condition: PackCondition; readonly why?: string };

export type ScrubReading = {
  readonly signal: AbortSignal;
  /** Resolves when so many bytes may be read. */
  readonly throttle: (bytes: number) => Promise<void>;
};

/** Bytes in memory at a time. */
const pieceBytes = 2 ** 20;

/** Reads a closed pack past our own caches and compares its hash with its name. */
export async function scrubPack(
  vaultDirectory: string,
  pack: PackRow,
  reading: ScrubReading,
): Promise<PackFinding> {
  if (pack.name === undefined) throw new Error(`pack ${pack.ordinal} is still open`);
  const path = closedPackPath(vaultDirectory, pack.name);
  let fd: number;
  try {
    fd = await openDescriptor(path, constants.O_RDONLY);
  } catch (error) {
    return errnoOf(error) === "ENOENT"
      ? { condition: "missing", why: "its file is not there" }
      : { condition: "unreadable", why: (error as Error).message };
  }
  try {
    const { size } = await fstat(fd);
    if (size !== pack.bytes) {
      return { condition: "damaged", why: `its file has ${size} bytes and not ${pack.bytes}` };
    }
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, size));
    for (let at = 0; at < size; at += piece.length) {
      reading.signal.throwIfAborted();
      const part = piece.subarray(0, Math.min(piece.length, size - at));
      await reading.throttle(part.length);
      await readFully(fd, part, at);
      hash.update(part);
    }
    return hash.digest().equals(pack.name)
      ? { condition: "sound" }
      : { condition: "damaged", why: "its bytes have another hash than its name" };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { condition: "unreadable", why: (error as Error).message };
  } finally {
    await closeDescriptor(fd);
  }
}
