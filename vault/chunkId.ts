// Ids of chunks: a keyed hash of what a record holds (docs/format.md section 5).
import { createHmac, createSecretKey } from "node:crypto";
import { type RecordType, Width } from "./magic.ts";

const domain = Buffer.from("holdfast.chunk.v1\0", "latin1");

// Domain, type and reference count: rewritten by each call, which does not await.
const prefix = Buffer.alloc(domain.length + 5);
prefix.set(domain);

/**
 * The 32-byte id of a plaintext with its type and references (concatenated ids, in order of first use). Type and references are part
 * of it, because two pages with equal ordinals and different references must not share an id.
 */
export function chunkId(
  idKey: Uint8Array,
  type: RecordType,
  refs: Uint8Array,
  plaintext: Uint8Array,
): Buffer {
  if (refs.length % Width.id !== 0) throw new RangeError("chunkId: references are 32 bytes each");
  prefix.writeUInt8(type, domain.length);
  prefix.writeUInt32LE(refs.length / Width.id, domain.length + 1);
  // Through a KeyObject: see seal/seal.ts.
  const hmac = createHmac("sha256", createSecretKey(idKey)).update(prefix);
  if (refs.length > 0) hmac.update(refs);
  return hmac.update(plaintext).digest();
}
