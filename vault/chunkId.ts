// Ids of chunks: a keyed hash of what a record holds (docs/format.md section 5).
import { type HmacEngine, nodeHmacs, type RunningHmac } from "./hmac.ts";
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
  engine = nodeHmacs,
): Buffer {
  const hmac = startChunkId(engine, idKey, type, refs);
  hmac.update(plaintext);
  return hmac.digest();
}

/** Whether a plaintext with its type and references has this id, 32 bytes; in less than it takes to make an id of it. */
export function isChunkId(
  id: Uint8Array,
  idKey: Uint8Array,
  type: RecordType,
  refs: Uint8Array,
  plaintext: Uint8Array,
  engine = nodeHmacs,
): boolean {
  const hmac = startChunkId(engine, idKey, type, refs);
  hmac.update(plaintext);
  return hmac.isDigest(id);
}

/** The id of a plaintext that comes in pieces: it is the digest once all of them were taken. */
export function startChunkId(
  engine: HmacEngine,
  idKey: Uint8Array,
  type: RecordType,
  refs: Uint8Array,
): RunningHmac {
  if (refs.length % Width.id !== 0) throw new RangeError("chunkId: references are 32 bytes each");
  prefix.writeUInt8(type, domain.length);
  prefix.writeUInt32LE(refs.length / Width.id, domain.length + 1);
  const hmac = engine.start(idKey, prefix);
  if (refs.length > 0) hmac.update(refs);
  return hmac;
}
