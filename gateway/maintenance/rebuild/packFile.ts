// Pack files of a vault's directory, and what each holds by itself: no database is asked.

import { hash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { PackKind, Width } from "../../../vault/magic.ts";
import { openTrailer, parseFooter } from "../../../vault/pack/footer.ts";
import { parsePackHeader } from "../../../vault/pack/packHeader.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { errnoOf, fileError, readFully } from "../../store/files.ts";
import { openFolder } from "../../store/packPaths.ts";
import { packContents, packRecord } from "../../store/packRecords.ts";
import { readTailOf } from "../../store/packTails.ts";

export type NamedFile = {
  readonly path: string;
  /** What its name says that it is. */
  readonly name: Buffer;
  readonly bytes: number;
  readonly mtimeMs: number;
};

const hashName = /^[0-9a-f]{64}$/;

/** Files below `packs/` or `tails/` of a vault's directory that have a pack's name, oldest first. @throws HoldfastError io-error */
export function namedFiles(directory: string, kind: "packs" | "tails"): NamedFile[] {
  const files: NamedFile[] = [];
  const root = join(directory, kind);
  for (const ab of entriesOf(root)) {
    for (const file of entriesOf(join(root, ab))) {
      if (!hashName.test(file) || !file.startsWith(ab)) continue;
      const path = join(root, ab, file);
      const { size, mtimeMs } = statOf(path);
      files.push({ path, name: fromHex(file, 32), bytes: size, mtimeMs });
    }
  }
  return files.sort((a, b) => a.mtimeMs - b.mtimeMs || a.name.compare(b.name));
}

/** Packs that were still written to, oldest first. @throws HoldfastError io-error */
export function openPackFiles(directory: string): Omit<NamedFile, "name">[] {
  const folder = openFolder(directory);
  return entriesOf(folder)
    .filter((name) => /^(?:adopt-)?[0-9]+\.pack$/.test(name))
    .map((name) => join(folder, name))
    .map((path) => ({ path, bytes: statOf(path).size, mtimeMs: statOf(path).mtimeMs }))
    .sort((a, b) => a.mtimeMs - b.mtimeMs);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw fileError(error, folder);
  }
}

function statOf(path: string): { size: number; mtimeMs: number } {
  try {
    return statSync(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** What a file says of itself: that of a whole pack, or why it is none. */
export type PackState =
  | {
      readonly sound: true;
      readonly kind: PackKind;
      readonly nonce: Buffer;
      readonly rows: readonly TrailerRow[];
    }
  | { readonly sound: false; readonly why: string };

/**
 * Looks at a closed pack. Metadata packs, and all where `hashed`, are read whole and compared with their name; of others the header, footer and
 * trailer are.
 */
export async function inspectPack(file: NamedFile, hashed: boolean): Promise<PackState> {
  if (file.bytes > limits.packBytesMax) return { sound: false, why: "its file is longer than a pack can be" };
  try {
    await using handle = await open(file.path, "r");
    const read = async (offset: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafe(length);
      const filled = await readFully(handle.fd, bytes, offset);
      if (filled < length) throw new HoldfastError(ErrorCode.truncated, "its file is cut short");
      return bytes;
    };
    if (file.bytes < Width.packHeader + Width.footer)
      return { sound: false, why: "its file is too short for a pack" };
    const tail = parseTail(await readTailOf({ ...file, nonce: Buffer.alloc(0) }, read));
    if (hashed || tail.kind === PackKind.metadata) {
      if (!hash("sha256", await read(0, file.bytes), "buffer").equals(file.name)) {
        return { sound: false, why: "its bytes have another hash than its name" };
      }
    }
    return { sound: true, ...tail };
  } catch (error) {
    if (isHoldfastError(error)) return { sound: false, why: error.message };
    const code = errnoOf(error);
    // Other failures say nothing of the file.
    if (code !== "EIO" && code !== "ENOENT") throw fileError(error, file.path);
    return { sound: false, why: (error as Error).message };
  }
}

export type PackTailContent = {
  readonly kind: PackKind;
  readonly nonce: Buffer;
  readonly rows: readonly TrailerRow[];
  /** Length of the whole pack. */
  readonly bytes: number;
};

/** Header, trailer and footer, held against one another. @throws HoldfastError truncated, corrupt, unsupported */
export function parseTail(bytes: Buffer): PackTailContent {
  if (bytes.length < Width.packHeader + Width.footer) {
    throw new HoldfastError(ErrorCode.truncated, "a tail is cut short");
  }
  const header = parsePackHeader(bytes);
  const trailer = bytes.subarray(Width.packHeader, bytes.length - Width.footer);
  const footerBytes = bytes.subarray(bytes.length - Width.footer);
  // Where the trailer stood in the pack, which the footer's own checksum covers.
  const packBytes = footerBytes.readUInt32LE(8) + trailer.length + Width.footer;
  const footer = parseFooter(footerBytes, packBytes);
  if (footer.kind !== header.kind || !footer.nonce.equals(header.nonce)) {
    throw new HoldfastError(ErrorCode.corrupt, "header and footer contradict each other");
  }
  return { kind: footer.kind, nonce: footer.nonce, rows: openTrailer(footer, trailer), bytes: packBytes };
}

/** The tail of an evicted pack; undefined where it is not whole. @throws HoldfastError io-error */
export async function inspectTail(file: NamedFile): Promise<PackTailContent | undefined> {
  try {
    return parseTail(await readFile(file.path));
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw fileError(error, file.path);
  }
}

/** Records of a whole metadata pack with their references, in the order of its trailer. @throws HoldfastError io-error; corrupt */
export async function metadataRecords(path: string): Promise<{ row: TrailerRow; refs: Buffer }[]> {
  try {
    return metadataRecordsOf(await readFile(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

/** The same of its bytes. @throws HoldfastError truncated, corrupt, unsupported */
export function metadataRecordsOf(bytes: Buffer): { row: TrailerRow; refs: Buffer }[] {
  return packContents(bytes).rows.map((row) => ({ row, refs: packRecord(bytes, row).header.refs }));
}
