// Finding the records of a pack by its frames alone (docs/format.md 7.4): open packs, and packs whose footer,
// header or middle is damaged.
//
// Memory: pieces of 1 MiB, and the clear header of one record. Time: every byte is searched once and hashed at most
// once per frame with the right nonce that stands before it; frames with the right nonce are the gateway's own.
import { createHash } from "node:crypto";
import { asBuffer } from "../bytes.ts";
import { isHoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Magic, Width } from "../magic.ts";
import { parseRecordHeader, type RecordHeader } from "../record.ts";
import { parseFooter } from "./footer.ts";
import { type Frame, frameMagicAt, parseFrame } from "./frame.ts";
import { parsePackHeader } from "./packHeader.ts";

/** The file, as far as recovery needs it. */
export type PackReader = {
  /** Bytes of the file. */
  readonly size: number;
  /** The bytes offset..offset + length, which lie inside the file. Throws what reading throws. */
  read(offset: number, length: number): Uint8Array;
};

/** A record whose frame, checksum and clear header are right. Buffers are its own. */
export type RecoveredRecord = {
  readonly frame: Frame;
  readonly recordOffset: number;
  readonly header: RecordHeader;
  /** First 16 bytes of the SHA-256 of the record, as the frame has them. */
  readonly hash16: Buffer;
};

export type RecoverOptions = {
  /** Where to begin: 32, or the end of the last record that is known. */
  readonly from?: number;
  /** The pack's nonce, where the caller knows it. */
  readonly nonce?: Uint8Array;
};

const pieceBytes = 1024 * 1024;
const clearBytesMax = Width.recordHeader + Width.heals + limits.refsPerRecordMax * Width.id;

/** How often the file may be hashed over in vain while the nonce is not known: hostile frames cost no more. */
const vainPassesMax = 8;

/** One pass over the file: for the frames of one nonce, or of any. */
class Scan {
  /** Bytes that may still be hashed for frames whose record turns out not to be right. */
  #vainBytes: number;
  readonly #reader: PackReader;
  readonly #nonce: Uint8Array | undefined;
  readonly #needle: Buffer;
  /** Where the needle stands in a frame. */
  readonly #needleAt: number;

  constructor(reader: PackReader, nonce: Uint8Array | undefined) {
    this.#vainBytes = nonce === undefined ? vainPassesMax * reader.size : Number.POSITIVE_INFINITY;
    const magic = Buffer.alloc(4);
    magic.writeUInt32LE(Magic.frame, 0);
    this.#reader = reader;
    this.#nonce = nonce;
    this.#needle = nonce === undefined ? magic : Buffer.concat([nonce, magic]);
    this.#needleAt = nonce === undefined ? frameMagicAt : 0;
  }

  *records(from: number): Generator<RecoveredRecord> {
    let at = from;
    while (at + Width.frame <= this.#reader.size && this.#vainBytes >= 0) {
      const record = this.#recordAt(at);
      if (record === undefined) {
        const next = this.#search(at + 1);
        if (next === undefined) return;
        at = next;
      } else {
        yield record;
        at = record.recordOffset + record.frame.recordLength;
      }
    }
  }

  /** The record whose frame stands at `at`, if all of it is right. */
  #recordAt(at: number): RecoveredRecord | undefined {
    const frame = parseFrame(Buffer.from(this.#reader.read(at, Width.frame)), this.#nonce);
    if (frame === undefined) return undefined;
    const recordOffset = at + Width.frame;
    const end = recordOffset + frame.recordLength;
    if (end > this.#reader.size) return undefined;
    const clear = Buffer.from(this.#reader.read(recordOffset, Math.min(frame.recordLength, clearBytesMax)));
    const header = parseHeader(clear);
    if (header === undefined || header.recordLength !== frame.recordLength) return undefined;
    const hash = createHash("sha256").update(clear);
    for (let offset = recordOffset + clear.length; offset < end; offset += pieceBytes) {
      hash.update(this.#reader.read(offset, Math.min(pieceBytes, end - offset)));
    }
    if (hash.digest().compare(frame.recordHash, 0, Width.recordHash, 0, Width.recordHash) !== 0) {
      this.#vainBytes -= frame.recordLength;
      return undefined;
    }
    // a copy of its own: results may be kept, and shall not keep the piece that was read
    const kept = parseRecordHeader(Buffer.from(clear.subarray(0, header.headerLength)));
    return { frame, recordOffset, header: kept, hash16: frame.recordHash };
  }

  /** The first place from `from` on where a frame may begin. */
  #search(from: number): number | undefined {
    const { size } = this.#reader;
    const overlap = this.#needle.length - 1;
    for (let offset = from + this.#needleAt; offset + this.#needle.length <= size; ) {
      const length = Math.min(pieceBytes, size - offset);
      const found = asBuffer(this.#reader.read(offset, length)).indexOf(this.#needle);
      if (found >= 0) return offset + found - this.#needleAt;
      if (offset + length === size) return undefined;
      offset += length - overlap;
    }
    return undefined;
  }
}

function parseHeader(clear: Buffer): RecordHeader | undefined {
  try {
    return parseRecordHeader(clear);
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

/**
 * Every undamaged record of a pack that lies from `from` on, in the order of the file. Gaps between them are damage (or
 * the trailer). Nothing is found in a file without an undamaged record.
 */
export function* recoverFrames(reader: PackReader, options: RecoverOptions = {}): Generator<RecoveredRecord> {
  const nonce = options.nonce ?? statedNonce(reader) ?? votedNonce(reader);
  if (nonce === undefined) return;
  yield* new Scan(reader, nonce).records(options.from ?? Width.packHeader);
}

/** The nonce that header or footer state. */
function statedNonce(reader: PackReader): Buffer | undefined {
  const { size } = reader;
  if (size < Width.packHeader) return undefined;
  try {
    return Buffer.from(parsePackHeader(reader.read(0, Width.packHeader)).nonce);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
  if (size < Width.packHeader + Width.footer) return undefined;
  try {
    return Buffer.from(parseFooter(reader.read(size - Width.footer, Width.footer), size).nonce);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
  return undefined;
}

/**
 * The nonce under which most bytes of records lie, by a weighted majority vote. Frames inside an undamaged record are
 * passed over with it, so a liar would have to own most of what is left of the pack.
 */
function votedNonce(reader: PackReader): Buffer | undefined {
  let leader: Buffer | undefined;
  let votes = 0;
  for (const { frame } of new Scan(reader, undefined).records(Width.packHeader)) {
    if (leader?.equals(frame.nonce)) {
      votes += frame.recordLength;
    } else if (votes < frame.recordLength) {
      leader = frame.nonce;
      votes = frame.recordLength - votes;
    } else {
      votes -= frame.recordLength;
    }
  }
  return leader;
}
