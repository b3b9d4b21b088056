// Records: one sealed chunk with its clear header (docs/format.md section 5).
//
// The clear part is all that a keyless gateway sees; parseRecordHeader checks every bound of it before anything is allocated. What
// the header claims is proven only by openRecord: first the tag, then the plain length, then the id.
import { randomFillSync } from "node:crypto";
import { asBuffer, equalBytes, giveBack } from "./bytes.ts";
import { chunkId, startChunkId } from "./chunkId.ts";
import { hasDuplicates } from "./duplicateRefs.ts";
import { ErrorCode, HoldfastError } from "./errors.ts";
import { type HmacEngine, nodeHmacs, type RunningHmac } from "./hmac.ts";
import type { VaultKeys } from "./keys/vaultKeys.ts";
import { limits } from "./limits.ts";
import { Compression, formatVersion, Magic, RecordFlag, RecordType, Width } from "./magic.ts";
import { compressionLevelDefault, compressPayload, decompressPayload } from "./seal/compress.ts";
import { nodeEngine, type OpenEngine, type SealEngine } from "./seal/engine.ts";
import { openBody, sealedLengthOf, sealInto } from "./seal/seal.ts";

/** The clear part of a record. Buffers are views of the parsed bytes. */
export type RecordHeader = {
  readonly type: RecordType;
  readonly compression: Compression;
  readonly keyEpoch: number;
  /** Bytes of ciphertext, the plain length field included. */
  readonly sealedLength: number;
  readonly refCount: number;
  readonly id: Buffer;
  readonly iv: Buffer;
  /** The id that a `partial` record stands in for; only on those. */
  readonly heals: Buffer | undefined;
  /** 32 × refCount bytes. */
  readonly refs: Buffer;
  /** Bytes before the ciphertext. */
  readonly headerLength: number;
  /** Bytes of the whole record. */
  readonly recordLength: number;
};

const At = {
  magic: 0,
  version: 4,
  type: 5,
  compression: 6,
  flags: 7,
  keyEpoch: 8,
  sealedLength: 12,
  refCount: 16,
  reserved: 20,
  id: 24,
  iv: 56,
  afterFixed: Width.recordHeader,
} as const;

const sealedBytesMin = sealedLengthOf(0);
const sealedBytesMax = sealedLengthOf(limits.plainBytesMax);

const noRefs = Buffer.alloc(0);

const nodeEngines: OpenEngines = { open: nodeEngine, hmacs: nodeHmacs };

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `record header: ${what}`);
}

/** Bytes before the ciphertext, once the first 24 bytes have been checked. */
function checkPrefix(bytes: Buffer): number {
  if (bytes.length < Width.recordPrefix) {
    throw new HoldfastError(
      ErrorCode.truncated,
      `record header: ${bytes.length} bytes of ${Width.recordHeader}`,
    );
  }
  if (bytes.readUInt32LE(At.magic) !== Magic.record) throw corrupt("not the magic of a record");
  const version = bytes[At.version]!;
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `record version ${version} is not known to this program`, {
      next: "Use a newer version of this program.",
    });
  }
  const type = bytes[At.type]!;
  if (type < RecordType.data || type > RecordType.partial) throw corrupt(`unknown type ${type}`);
  if (bytes[At.compression]! > Compression.zstd)
    throw corrupt(`unknown compression ${bytes[At.compression]}`);
  const isPartial = type === RecordType.partial;
  if (bytes[At.flags]! !== (isPartial ? RecordFlag.heals : 0))
    throw corrupt(`flags ${bytes[At.flags]} in type ${type}`);
  if (bytes.readUInt32LE(At.keyEpoch) === 0) throw corrupt("key epoch 0");
  const sealedLength = bytes.readUInt32LE(At.sealedLength);
  if (sealedLength < sealedBytesMin) throw corrupt(`sealed length ${sealedLength}`);
  const refCount = bytes.readUInt32LE(At.refCount);
  if (sealedLength > sealedBytesMax || refCount > limits.refsPerRecordMax) {
    const claims = `${sealedLength} sealed bytes and ${refCount} references`;
    throw new HoldfastError(ErrorCode.limitExceeded, `record header: ${claims} are over the limits`);
  }
  if (refCount > 0 && (type === RecordType.data || type === RecordType.xattrs)) {
    throw corrupt(`references in type ${type}`);
  }
  if (bytes.readUInt32LE(At.reserved) !== 0) throw corrupt("reserved bytes are not zero");
  return At.afterFixed + (isPartial ? Width.heals : 0) + refCount * Width.id;
}

/**
 * The length of the whole record whose first 24 bytes (or more) these are.
 * @throws HoldfastError truncated, corrupt, unsupported, limit-exceeded
 */
export function recordLengthFromHeader(first24: Uint8Array): number {
  const bytes = asBuffer(first24);
  return checkPrefix(bytes) + bytes.readUInt32LE(At.sealedLength) + Width.tag;
}

/**
 * Parses the clear part; needs no key, and no bytes beyond it (`bytes` may end there or be longer than the record).
 * @throws HoldfastError truncated, corrupt, unsupported, limit-exceeded
 */
export function parseRecordHeader(bytes: Uint8Array): RecordHeader {
  const view = asBuffer(bytes);
  const headerLength = checkPrefix(view);
  if (view.length < headerLength) {
    throw new HoldfastError(ErrorCode.truncated, `record header: ${view.length} bytes of ${headerLength}`);
  }
  const type = view[At.type] as RecordType;
  const sealedLength = view.readUInt32LE(At.sealedLength);
  const refCount = view.readUInt32LE(At.refCount);
  const refsStart = headerLength - refCount * Width.id;
  return {
    type,
    compression: view[At.compression] as Compression,
    keyEpoch: view.readUInt32LE(At.keyEpoch),
    sealedLength,
    refCount,
    id: view.subarray(At.id, At.id + Width.id),
    iv: view.subarray(At.iv, At.iv + Width.iv),
    heals: refsStart > At.afterFixed ? view.subarray(At.afterFixed, refsStart) : undefined,
    refs: refCount === 0 ? noRefs : view.subarray(refsStart, headerLength),
    headerLength,
    recordLength: headerLength + sealedLength + Width.tag,
  };
}

export type RecordToSeal = {
  readonly keys: VaultKeys;
  readonly group: number;
  /** Any type but `partial`. */
  readonly type: RecordType;
  /** At most 4 MiB. */
  readonly plaintext: Uint8Array;
  /** Concatenated ids in order of first use, without duplicates; empty for data and xattrs. */
  readonly refs: Uint8Array;
  /** The chunk id, where it was computed already. It is trusted. */
  readonly id?: Uint8Array;
  /** zstd level, 3 by default. */
  readonly compressionLevel?: number;
  /** Random by default; fixed by test vectors only. */
  readonly iv?: Uint8Array;
  /** Node's own libraries by default. */
  readonly engine?: SealEngine;
};

/** Compresses and seals a chunk in the current key epoch. Arguments outside the format's limits are a RangeError. */
export function sealRecord(chunk: RecordToSeal): Buffer {
  const { keys, type, plaintext, refs } = chunk;
  const refCount = refs.length / Width.id;
  if (plaintext.length > limits.plainBytesMax) throw new RangeError(`plaintext of ${plaintext.length} bytes`);
  if (!Number.isInteger(refCount) || refCount > limits.refsPerRecordMax)
    throw new RangeError("sealRecord: refs");
  if (type === RecordType.partial) throw new RangeError("sealRecord: partial records are reserved");
  if (refCount > 0 && type !== RecordType.directory && type !== RecordType.extents) {
    throw new RangeError(`sealRecord: references in type ${type}`);
  }
  const id = chunk.id ?? chunkId(keys.idKey(chunk.group), type, refs, plaintext);
  const { compression, payload } = compressPayload(
    plaintext,
    chunk.compressionLevel ?? compressionLevelDefault,
    chunk.engine,
  );
  const headerLength = At.afterFixed + refs.length;
  const sealedLength = sealedLengthOf(payload.length);
  const record = Buffer.allocUnsafe(headerLength + sealedLength + Width.tag);
  record.writeUInt32LE(Magic.record, At.magic);
  record[At.version] = formatVersion;
  record[At.type] = type;
  record[At.compression] = compression;
  record[At.flags] = 0;
  record.writeUInt32LE(keys.currentEpoch, At.keyEpoch);
  record.writeUInt32LE(sealedLength, At.sealedLength);
  record.writeUInt32LE(refCount, At.refCount);
  record.writeUInt32LE(0, At.reserved);
  record.set(id, At.id);
  const iv = record.subarray(At.iv, At.iv + Width.iv);
  if (chunk.iv === undefined) randomFillSync(iv);
  else iv.set(chunk.iv);
  record.set(refs, At.afterFixed);
  sealInto(
    keys.sealKeys(keys.currentEpoch),
    iv,
    record,
    headerLength,
    plaintext.length,
    payload,
    chunk.engine,
  );
  return record;
}

/** The key epoch that a record says it is sealed in; undefined for bytes too short to say so. */
export function recordEpoch(record: Uint8Array): number | undefined {
  return record.length < At.sealedLength ? undefined : asBuffer(record).readUInt32LE(At.keyEpoch);
}

export type RecordToOpen = {
  readonly keys: VaultKeys;
  readonly group: number;
  /** The whole record and nothing else. */
  readonly record: Uint8Array;
  readonly expectedId: Uint8Array;
  readonly expectedType: RecordType;
  /** Takes all of the plaintext into the id, where its bytes are to be hashed for something else in the same pass. */
  readonly beside?: IdTaker | undefined;
  /** Node's own libraries by default. */
  readonly engines?: OpenEngines | undefined;
  /** Where the plaintext goes, in place of an engine's own memory. */
  readonly memory?: ((bytes: number) => Buffer) | undefined;
};

export type OpenEngines = { readonly open: OpenEngine; readonly hmacs: HmacEngine };

export type IdTaker = {
  readonly engine: HmacEngine;
  take(id: RunningHmac, plaintext: Buffer): void;
};

/** A record whose seal is right. What is in it is proven by its id (`provenRecord`), which has to come before anybody sees it. */
export type UnsealedRecord = { readonly header: RecordHeader; readonly plaintext: Buffer };

/**
 * Verifies and opens a record. `refs` is a view of the record; `plaintext` is memory of its own, unless the engine keeps it.
 * @throws HoldfastError truncated, corrupt, unsupported (also for `partial`), limit-exceeded: the bytes; key-wrong: an epoch that the keys
 * do not have; seal-invalid: the tag; id-mismatch: an id, type or content that is not what was asked for
 */
export function openRecord(wanted: RecordToOpen): OpenRecord {
  const unsealed = unsealRecord(wanted);
  return provenRecord(unsealed, contentId(wanted, unsealed));
}

export type OpenRecord = { readonly plaintext: Buffer; readonly refs: Buffer };

/** The first half of `openRecord`. @throws HoldfastError as openRecord */
export function unsealRecord(wanted: RecordToOpen): UnsealedRecord {
  const { keys, record } = wanted;
  const header = parseRecordHeader(record);
  if (record.length < header.recordLength) {
    throw new HoldfastError(
      ErrorCode.truncated,
      `record has ${record.length} bytes of ${header.recordLength}`,
    );
  }
  if (record.length > header.recordLength) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `${record.length - header.recordLength} bytes after the record`,
    );
  }
  if (header.type === RecordType.partial) {
    throw new HoldfastError(ErrorCode.unsupported, "record type 5 (partial) needs the feature partial-1");
  }
  if (header.type !== wanted.expectedType || !equalBytes(header.id, wanted.expectedId)) {
    throw new HoldfastError(ErrorCode.idMismatch, "this is not the record that was asked for");
  }
  const { open: engine } = wanted.engines ?? nodeEngines;
  const sealKeys = keys.sealKeys(header.keyEpoch);
  const { plainLength, payload } = openBody(sealKeys, header.iv, record, header.headerLength, engine);
  const plaintext = decompressPayload(header.compression, payload, plainLength, engine, wanted.memory);
  if (plaintext !== payload && !engine.keepsMemory) giveBack(payload);
  return { header, plaintext };
}

/** The second half: `id` is what the record's type, references and plaintext hash to. @throws HoldfastError id-mismatch, corrupt */
export function provenRecord({ header, plaintext }: UnsealedRecord, id: Uint8Array): OpenRecord {
  if (!equalBytes(id, header.id)) {
    throw new HoldfastError(ErrorCode.idMismatch, "the content of the record is not what its id names");
  }
  if (hasDuplicates(header.refs)) throw corrupt("a reference stands twice");
  return { plaintext, refs: header.refs };
}

/** What the id of a record must be for what it holds. */
export function contentId(
  { keys, group, beside, engines }: RecordToOpen,
  { header, plaintext }: UnsealedRecord,
): Buffer {
  const idKey = keys.idKey(group);
  if (beside === undefined) {
    return chunkId(idKey, header.type, header.refs, plaintext, (engines ?? nodeEngines).hmacs);
  }
  const id = startChunkId(beside.engine, idKey, header.type, header.refs);
  beside.take(id, plaintext);
  return id.digest();
}
