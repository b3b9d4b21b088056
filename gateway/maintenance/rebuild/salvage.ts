// A new pack of the records that are whole in a file: one that is damaged, or that was still written to (docs/format.md, section 7.4).
//
// Invariants
// - The file itself is only read. The new pack's nonce comes from the old one's, so that the same records make the same pack, and never one that
//   the gateway would make of the file itself.
// - A record is copied only when the bytes that are written have the hash in its frame.
// - A pack has its name only when it is durable, and was read back with the hash that it was written with.

import { createHash, type Hash, hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { PackKind, RecordType, Width } from "../../../vault/magic.ts";
import { encodeFooter, openTrailer, parseFooter } from "../../../vault/pack/footer.ts";
import { encodeFrame } from "../../../vault/pack/frame.ts";
import { encodePackHeader } from "../../../vault/pack/packHeader.ts";
import { type RecoveredRecord, recoverFrames } from "../../../vault/pack/recover.ts";
import { encodeTrailer, type TrailerRow } from "../../../vault/pack/trailer.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { errnoOf, fileError, makeFolderDurably, syncDirectory, writeFully } from "../../store/files.ts";
import { closedPackFolder, closedPackPath } from "../../store/packPaths.ts";

export type Salvaged = {
  /** SHA-256 of the new pack. */
  readonly name: Buffer;
  readonly kind: PackKind;
  readonly nonce: Buffer;
  readonly records: number;
  readonly bytes: number;
  /** Bytes of the old file between the records that are whole, its own header, trailer and footer not counted where they are whole. */
  readonly lostBytes: number;
};

type Reader = { readonly size: number; read(offset: number, length: number): Buffer };

/** Works on a file with synchronous reads. @throws HoldfastError io-error, and what `work` throws */
async function withFile<T>(path: string, work: (reader: Reader) => Promise<T>): Promise<T> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw fileError(error, path);
  }
  try {
    const { size } = fstatSync(fd);
    return await work({
      size,
      read: (offset, length) => {
        const bytes = Buffer.alloc(length);
        // What the disk does not give is as good as damaged.
        try {
          readSync(fd, bytes, 0, length, offset);
        } catch (error) {
          if (errnoOf(error) !== "EIO") throw fileError(error, path);
          bytes.fill(0);
        }
        return bytes;
      },
    });
  } finally {
    closeSync(fd);
  }
}

/** Offsets of records that readers had found wrong, whole as they are: they are not taken along. */
export type WrongOffsets = ReadonlySet<number> | undefined;

/** Rows of the records that are whole in a file, at their places there, with the ids that each refers to. @throws HoldfastError io-error */
export function wholeRecords(
  path: string,
  wrong: WrongOffsets,
): Promise<{ row: TrailerRow; refs: Buffer }[]> {
  return withFile(path, async (reader) =>
    found(reader)
      .filter(({ row }) => wrong?.has(row.offset) !== true)
      .map(({ row, refs }) => ({ row, refs })),
  );
}

/** The same of records that can be read where they are: their frames are whole too. @throws HoldfastError io-error */
export function readableRecords(path: string): Promise<{ row: TrailerRow; refs: Buffer }[]> {
  return withFile(path, async (reader) => [...framed(reader)].map(({ row, refs }) => ({ row, refs })));
}

/** Rows of a closed pack's trailer; none where it is not whole. @throws HoldfastError io-error */
export function trailerRows(path: string): Promise<readonly TrailerRow[]> {
  return withFile(path, async (reader) => statedRows(reader).rows);
}

type FoundRecord = { readonly row: TrailerRow; readonly refs: Buffer; readonly nonce: Buffer };

/** Records that are whole, in the order of the file: by their frames, and where the trailer is whole by that too, since a frame may be damaged alone. */
function found(reader: Reader): FoundRecord[] {
  const records = new Map<number, FoundRecord>();
  for (const record of framed(reader)) records.set(record.row.offset, record);
  const { rows, nonce } = statedRows(reader);
  for (const row of rows) {
    if (records.has(row.offset)) continue;
    const refs = refsOf(reader, row);
    if (refs !== undefined) records.set(row.offset, { row: copyOf(row), refs, nonce });
  }
  return [...records.values()].sort((a, b) => a.row.offset - b.row.offset);
}

function* framed(reader: Reader): Generator<FoundRecord> {
  for (const record of recoverFrames(reader)) {
    const { refs } = record.header;
    yield { row: rowOf(record), refs, nonce: Buffer.from(record.frame.nonce) };
  }
}

/** What the trailer says, where it is whole. */
function statedRows({ size, read }: Reader): { rows: readonly TrailerRow[]; nonce: Buffer } {
  try {
    const footer = parseFooter(read(Math.max(0, size - Width.footer), Math.min(size, Width.footer)), size);
    const trailer = read(footer.trailerOffset, footer.trailerLength);
    return { rows: openTrailer(footer, trailer), nonce: Buffer.from(footer.nonce) };
  } catch (error) {
    if (isHoldfastError(error)) return { rows: [], nonce: Buffer.alloc(0) };
    throw error;
  }
}

/** References of a record that a trailer names, if it is whole. */
function refsOf({ read }: Reader, { offset, length, hash16, id }: TrailerRow): Buffer | undefined {
  const bytes = read(offset, length);
  if (!hash("sha256", bytes, "buffer").subarray(0, Width.recordHash).equals(hash16)) return undefined;
  try {
    const header = parseRecordHeader(bytes);
    return header.recordLength === length && header.id.equals(id) ? Buffer.from(header.refs) : undefined;
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

function copyOf(row: TrailerRow): TrailerRow {
  const { id, writer, hash16 } = row;
  return { ...row, id: Buffer.from(id), writer: Buffer.from(writer), hash16: Buffer.from(hash16) };
}

function rowOf({ frame, recordOffset, header, hash16 }: RecoveredRecord): TrailerRow {
  return {
    id: header.id,
    offset: recordOffset,
    length: frame.recordLength,
    group: frame.group,
    writer: Buffer.from(frame.writer),
    type: header.type,
    hash16: Buffer.from(hash16),
  };
}

/**
 * Makes a pack of what is whole in `path`. Without `directory` (a vault's) nothing is written: it says what would be. Undefined where no record is whole.
 * @throws HoldfastError disk-full, io-error; chunk-damaged where the new pack does not read back
 */
export function salvagePack(
  path: string,
  mtimeMs: number,
  wrong: WrongOffsets,
  directory: string | undefined,
): Promise<Salvaged | undefined> {
  return withFile(path, async (reader) => {
    if (directory === undefined) {
      return await copyRecords(reader, wrong, async () => undefined);
    }
    const temporary = join(directory, "salvage.tmp");
    try {
      await using file = await open(temporary, "w", 0o600);
      let at = 0;
      const made = await copyRecords(reader, wrong, async (bytes) => {
        await writeFully(file.fd, [bytes], at);
        at += bytes.length;
      });
      if (made === undefined) {
        await rm(temporary, { force: true });
        return undefined;
      }
      await file.utimes(new Date(mtimeMs), new Date(mtimeMs));
      await file.sync();
      await giveName(temporary, made.name, directory);
      return made;
    } catch (error) {
      await rm(temporary, { force: true });
      throw fileError(error, temporary);
    }
  });
}

async function giveName(temporary: string, name: Buffer, directory: string): Promise<void> {
  if (!hash("sha256", await readFile(temporary), "buffer").equals(name)) {
    throw new HoldfastError(ErrorCode.chunkDamaged, `${temporary} does not read back as written`, {
      next: "Look at the disk; nothing was changed for this pack.",
    });
  }
  await makeFolderDurably(join(directory, "packs"));
  await makeFolderDurably(closedPackFolder(directory, name));
  await rename(temporary, closedPackPath(directory, name));
  await syncDirectory(closedPackFolder(directory, name));
}

/** The bytes of the new pack, in order. */
async function copyRecords(
  reader: Reader,
  wrong: WrongOffsets,
  write: (bytes: Buffer) => Promise<void>,
): Promise<Salvaged | undefined> {
  const sum: Hash = createHash("sha256");
  let at = 0;
  const put = async (bytes: Buffer): Promise<void> => {
    sum.update(bytes);
    await write(bytes);
    at += bytes.length;
  };
  const rows: TrailerRow[] = [];
  let kind: PackKind | undefined;
  let nonce: Buffer | undefined;
  for (const record of found(reader)) {
    const { row } = record;
    if (wrong?.has(row.offset)) continue;
    const ofKind = row.type === RecordType.data ? PackKind.data : PackKind.metadata;
    if (kind === undefined) {
      kind = ofKind;
      nonce = nonceFrom(record.nonce);
      await put(encodePackHeader({ kind, nonce }));
    }
    const bytes = reader.read(row.offset, row.length);
    const recordHash = hash("sha256", bytes, "buffer").subarray(0, Width.recordHash);
    // A disk that gives other bytes the second time gives none.
    if (nonce === undefined || ofKind !== kind || !recordHash.equals(row.hash16)) continue;
    rows.push({ ...row, offset: at + Width.frame });
    const { group, writer, length } = row;
    await put(
      Buffer.concat([encodeFrame({ nonce, recordLength: length, group, writer, recordHash }), bytes]),
    );
  }
  if (kind === undefined || nonce === undefined || rows.length === 0) return undefined;
  const trailerOffset = at;
  const trailer = encodeTrailer(rows);
  const footer = encodeFooter({ kind, nonce, trailerOffset, trailer });
  await put(Buffer.concat([trailer, footer]));
  return {
    name: sum.digest(),
    kind,
    nonce,
    records: rows.length,
    bytes: at,
    lostBytes: Math.max(0, reader.size - trailerOffset - tailBytes(reader)),
  };
}

function nonceFrom(nonce: Uint8Array): Buffer {
  return createHash("sha256").update("holdfast salvage").update(nonce).digest().subarray(0, Width.packNonce);
}

/** Length of the trailer and footer that a file ends with; 0 where that is none. */
function tailBytes({ size, read }: Reader): number {
  try {
    const { trailerOffset } = parseFooter(
      read(Math.max(0, size - Width.footer), Math.min(size, Width.footer)),
      size,
    );
    return size - trailerOffset;
  } catch (error) {
    if (isHoldfastError(error)) return 0;
    throw error;
  }
}
