// Ids and rows for the index's tests, made from numbers.

import { createHash } from "node:crypto";
import type { ChunkRow } from "../../../gateway/index/row.ts";

/** A 32-byte id that stands for n. */
export function idOf(n: number): Uint8Array {
  return createHash("sha256").update(String(n)).digest();
}

/** A row whose offset is n, so that a wrong answer shows. */
export function rowOf(n: number, ordinal: number): ChunkRow {
  return { ordinal, pack: n % 7, offset: n, length: 1000 + n, type: 1, writer: n % 3, flags: 0 };
}
