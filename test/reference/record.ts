// Records: one sealed chunk with its clear header (docs/format.md, section 5).
import { zstdDecompressSync } from "node:zlib";
import { Cursor, concat, hex, must, Refusal, u32 } from "./cursor.ts";
import type { Keys } from "./keys.ts";
import { aes256Ctr, hmacSha256, recordTag, same } from "./primitives.ts";

export const types = { data: 1, directory: 2, extents: 3, xattrs: 4, partial: 5 } as const;

const plainLengthMax = 4 * 1024 * 1024;
const referencesMax = 2048;

export type Header = {
  readonly type: number;
  readonly compression: number;
  readonly epoch: number;
  readonly id: Uint8Array;
  readonly iv: Uint8Array;
  readonly references: readonly Uint8Array[];
  /** Where the ciphertext starts, and its length. */
  readonly sealedAt: number;
  readonly sealedLength: number;
};

/** What a record holds, once opened. */
export type Chunk = {
  readonly type: number;
  readonly plaintext: Uint8Array;
  readonly references: readonly Uint8Array[];
};

/** The clear part of a whole record. */
export function readHeader(record: Uint8Array): Header {
  const cursor = new Cursor(record, "a record");
  cursor.text("HFr1");
  const version = cursor.u8();
  if (version !== 1) throw new Refusal("unsupported", `record version ${version}`);
  const type = cursor.u8();
  const compression = cursor.u8();
  const flags = cursor.u8();
  if (type === types.partial) throw new Refusal("unsupported", "partial-1: a partial record");
  must(type >= 1 && type <= 4, `record type ${type}`);
  must(compression === 0 || compression === 1, `compression ${compression}`);
  must(flags === 0, `record flags ${flags}`);
  const epoch = cursor.u32();
  must(epoch > 0, "epochs count from 1");
  const sealedLength = cursor.u32();
  const count = cursor.u32();
  if (count > referencesMax) throw new Refusal("limit-exceeded", `${count} references`);
  must(count === 0 || type === types.directory || type === types.extents, "references where there are none");
  cursor.zeros(4);
  const id = cursor.bytes(32);
  const iv = cursor.bytes(16);
  const references = Array.from({ length: count }, () => cursor.bytes(32));
  must(new Set(references.map(hex)).size === count, "a reference stands twice");
  const sealedAt = cursor.at;
  must(sealedLength >= 4, "a record holds at least its plain length");
  cursor.bytes(sealedLength + 16);
  cursor.end();
  return { type, compression, epoch, id, iv, references, sealedAt, sealedLength };
}

export function chunkId(idKey: Uint8Array, chunk: Chunk): Uint8Array {
  return hmacSha256(
    idKey,
    Buffer.from("holdfast.chunk.v1\0", "latin1"),
    Uint8Array.of(chunk.type),
    u32(chunk.references.length),
    ...chunk.references,
    chunk.plaintext,
  );
}

/** Opens a record that was asked for by id and type; everything it claims is checked. */
export function openRecord(
  record: Uint8Array,
  keys: Keys,
  group: number,
  wanted: { readonly id: Uint8Array; readonly type: number },
): Chunk {
  const header = readHeader(record);
  const { encKey, macKey } = keys.sealKeys(header.epoch);
  const sealedEnd = header.sealedAt + header.sealedLength;
  const tag = recordTag(macKey, header.iv, record.subarray(0, sealedEnd));
  must(same(tag, record.subarray(sealedEnd)), "the record's tag is wrong");
  const body = new Cursor(
    aes256Ctr(encKey, header.iv, record.slice(header.sealedAt, sealedEnd)),
    "a record's body",
  );
  const plainLength = body.u32();
  if (plainLength > plainLengthMax) throw new Refusal("limit-exceeded", `plain length ${plainLength}`);
  const payload = body.bytes(header.sealedLength - 4);
  const plaintext = header.compression === 0 ? payload : Uint8Array.from(decompress(payload, plainLength));
  must(plaintext.length === plainLength, "the payload has another length than it says");
  const chunk = { type: header.type, plaintext, references: header.references };
  must(header.type === wanted.type, `record type ${header.type} where ${wanted.type} was expected`);
  must(same(header.id, wanted.id), "the record has another id than was asked for");
  must(same(chunkId(keys.idKey(group), chunk), wanted.id), "the content is not what the id names");
  return chunk;
}

function decompress(payload: Uint8Array, plainLength: number): Uint8Array {
  try {
    return zstdDecompressSync(payload, { maxOutputLength: Math.max(plainLength, 1) });
  } catch (error) {
    throw new Refusal("corrupt", `zstd: ${(error as Error).message}`);
  }
}

/** Seals a chunk without compression, as a writer may always do. */
export function sealRecord(
  keys: Keys,
  group: number,
  epoch: number,
  iv: Uint8Array,
  chunk: Chunk,
): Uint8Array {
  const { encKey, macKey } = keys.sealKeys(epoch);
  const body = concat(u32(chunk.plaintext.length), chunk.plaintext);
  const before = concat(
    Buffer.from("HFr1", "latin1"),
    Uint8Array.of(1, chunk.type, 0, 0),
    u32(epoch),
    u32(body.length),
    u32(chunk.references.length),
    u32(0),
    chunkId(keys.idKey(group), chunk),
    iv,
    ...chunk.references,
    aes256Ctr(encKey, iv, body),
  );
  return concat(before, recordTag(macKey, iv, before));
}
