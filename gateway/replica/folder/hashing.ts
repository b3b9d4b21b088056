// SHA-256 of files and sources, piece by piece.

import { createHash } from "node:crypto";
import { readFully } from "../../store/files.ts";
import type { ObjectSource } from "../replicaStore.ts";

export const pieceBytes: number = 1 << 20;

/** Of the first `bytes` bytes of a file, read from the file; of fewer where it ends before. */
export async function hashOfFile(fd: number, bytes: number): Promise<Buffer> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(Math.min(pieceBytes, bytes));
  for (let at = 0; at < bytes; ) {
    const read = await readFully(fd, piece.subarray(0, Math.min(pieceBytes, bytes - at)), at);
    if (read === 0) break;
    hash.update(piece.subarray(0, read));
    at += read;
  }
  return hash.digest();
}

export async function hashOfSource(source: ObjectSource): Promise<Buffer> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.bytes; at += pieceBytes) {
    hash.update(await source.read(at, Math.min(pieceBytes, source.bytes - at)));
  }
  return hash.digest();
}
