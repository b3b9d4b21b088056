// Finding the records of a pack: by its trailer, or without one by following frames (docs/format.md, section 7).

import { crc32 } from "node:zlib";
import { sha256 } from "@noble/hashes/sha2.js";
import { Cursor, hex, must } from "./cursor.ts";

import { readHeader } from "./record.ts";

/** Where a record stands in a pack, and what is known of it without keys. */
export type Place = {
  readonly id: string;
  readonly offset: number;
  readonly length: number;
  readonly group: number;
  readonly writer: string;
  readonly type: number;
};

const headerLength = 32;
const frameLength = 64;
const footerLength = 72;
const recordLengthMin = 72 + 4 + 16;
const recordLengthMax = 72 + 32 + 32 * 2048 + 4 + 4 * 1024 * 1024 + 16;

type Header = { readonly kind: number; readonly nonce: Uint8Array };

function readPackHeader(pack: Uint8Array): Header {
  const cursor = new Cursor(pack.subarray(0, headerLength), "a pack's header");
  cursor.text("HFp1");
  must(cursor.u8() === 1, "unknown version of packs");
  const kind = cursor.u8();
  must(kind === 1 || kind === 2, `pack kind ${kind}`);
  cursor.zeros(2);
  const nonce = cursor.bytes(16);
  must(cursor.u32() === crc32(pack.subarray(0, 24)), "the CRC of the pack's header is wrong");
  cursor.zeros(4);
  return { kind, nonce };
}

type Footer = Header & { readonly trailer: Uint8Array };

/** The footer and the trailer it vouches for, from the end of a pack of `length` bytes. */
function readFooter(end: Uint8Array, packLength = end.length): Footer {
  must(end.length >= footerLength && packLength >= headerLength + footerLength, "too short for a footer");
  const bytes = end.subarray(end.length - footerLength);
  const cursor = new Cursor(bytes, "a pack's footer");
  cursor.text("HFe1");
  must(cursor.u8() === 1, "unknown version of packs");
  const kind = cursor.u8();
  must(kind === 1 || kind === 2, `pack kind ${kind}`);
  cursor.zeros(2);
  const offset = cursor.u32();
  const length = cursor.u32();
  const nonce = cursor.bytes(16);
  const hash = cursor.bytes(32);
  must(cursor.u32() === crc32(bytes.subarray(0, 64)), "the CRC of the pack's footer is wrong");
  cursor.zeros(4);
  must(offset >= headerLength && offset + length === packLength - footerLength, "the trailer is elsewhere");
  must(length + footerLength <= end.length, "the trailer is cut short");
  const trailer = end.subarray(end.length - footerLength - length, end.length - footerLength);
  must(hex(sha256(trailer)) === hex(hash), "the hash of the pack's trailer is wrong");
  return { kind, nonce, trailer };
}

function readTrailer({ kind, trailer }: Footer, end: number): Place[] {
  const cursor = new Cursor(trailer, "a pack's trailer");
  cursor.text("HFt1");
  const rowCount = cursor.u32();
  const writerCount = cursor.u32();
  cursor.zeros(4);
  must(rowCount <= 65_536 && writerCount <= 65_536, "too many rows");
  const writers = Array.from({ length: writerCount }, () => hex(cursor.bytes(16)));
  let from = headerLength;
  const places = Array.from({ length: rowCount }, () => {
    const id = hex(cursor.bytes(32));
    const offset = cursor.u32();
    const length = cursor.u32();
    const group = cursor.u32();
    const writer = writers[cursor.u16()];
    const type = cursor.u8();
    cursor.zeros(1);
    cursor.bytes(16);
    must(writer !== undefined, "a row names a writer that is not there");
    must((type === 1) === (kind === 1), "a record stands in the wrong kind of pack");
    must(offset >= from + frameLength && offset + length <= end, "a row lies outside the pack");
    from = offset + length;
    return { id, offset, length, group, writer, type };
  });
  cursor.end();
  return places;
}

/** The record behind a frame at `at`, if the frame is valid (with just this nonce, or any). */
function frameAt(
  pack: Buffer,
  at: number,
  nonce: Uint8Array | null,
): { place: Place; nonce: Uint8Array } | null {
  if (at + frameLength > pack.length) return null;
  const frame = pack.subarray(at, at + frameLength);
  const cursor = new Cursor(frame, "a frame");
  const found = cursor.bytes(16);
  if (nonce !== null && hex(found) !== hex(nonce)) return null;
  if (Buffer.from(cursor.bytes(4)).toString("latin1") !== "HFf1") return null;
  const length = cursor.u32();
  const group = cursor.u32();
  const writer = hex(cursor.bytes(16));
  const hash = hex(cursor.bytes(16));
  if (cursor.u32() !== crc32(frame.subarray(0, 60))) return null;
  const offset = at + frameLength;
  if (length < recordLengthMin || length > recordLengthMax || offset + length > pack.length) return null;
  const record = pack.subarray(offset, offset + length);
  if (hex(sha256(record).subarray(0, 16)) !== hash) return null;
  const header = attempt(() => readHeader(record));
  if (header === null) return null;
  return { place: { id: hex(header.id), offset, length, group, writer, type: header.type }, nonce: found };
}

function followFrames(pack: Buffer, nonce: Uint8Array | null): { place: Place; nonce: Uint8Array }[] {
  const found: { place: Place; nonce: Uint8Array }[] = [];
  let at = headerLength;
  while (at + frameLength <= pack.length) {
    const next = frameAt(pack, at, nonce);
    if (next !== null) {
      found.push(next);
      at = next.place.offset + next.place.length;
      continue;
    }
    const magic = pack.indexOf("HFf1", at + 16 + 1, "latin1"); // the nonce stands 16 bytes before it
    if (magic < 0) break;
    at = magic - 16;
  }
  return found;
}

/** The nonce under which most bytes of records stand. */
function likelyNonce(pack: Buffer): Uint8Array | null {
  const weights = new Map<string, number>();
  for (const { place, nonce } of followFrames(pack, null)) {
    weights.set(hex(nonce), (weights.get(hex(nonce)) ?? 0) + place.length);
  }
  const [best] = [...weights].sort((a, b) => b[1] - a[1]);
  return best === undefined ? null : Buffer.from(best[0], "hex");
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** The records of a pack, closed, open or damaged, in the order in which they stand. */
export function scanPack(bytes: Uint8Array): { readonly by: "trailer" | "frames"; readonly places: Place[] } {
  const pack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const footer = attempt(() => readFooter(pack));
  if (footer !== null) {
    const places = attempt(() => readTrailer(footer, pack.length - footerLength - footer.trailer.length));
    if (places !== null) return { by: "trailer", places };
  }
  const header = attempt(() => readPackHeader(pack));
  const nonce = header?.nonce ?? footer?.nonce ?? likelyNonce(pack);
  if (nonce === null) return { by: "frames", places: [] };
  return { by: "frames", places: followFrames(pack, nonce).map(({ place }) => place) };
}

/** The records of a pack of `length` bytes, by its first 32 bytes and by its trailer and footer (docs/format.md, section 11.4). */
export function placesOfTail(header: Uint8Array, tail: Uint8Array, length: number): Place[] {
  const { kind, nonce } = readPackHeader(header);
  const footer = readFooter(tail, length);
  must(footer.kind === kind && hex(footer.nonce) === hex(nonce), "header and footer are of different packs");
  must(footer.trailer.length + footerLength === tail.length, "a tail with more than trailer and footer");
  return readTrailer(footer, length - footerLength - footer.trailer.length);
}
