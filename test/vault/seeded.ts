// Bytes, tables and ids that are the same in every run, for tests that need many or fixed ones.
import { createCipheriv, createHash } from "node:crypto";

/** `length` bytes that depend on `label` alone: the AES-CTR key stream of its hash. */
export function seededBytes(label: string, length: number): Buffer {
  const key = createHash("sha256").update(label).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A gear or split table. */
export function seededTable(label: string): Uint32Array {
  const bytes = seededBytes(label, 1024);
  return Uint32Array.from({ length: 256 }, (_, i) => bytes.readUInt32LE(i * 4));
}

/** An id. */
export function seededId(label: string): Buffer {
  return createHash("sha256").update(label).digest();
}
