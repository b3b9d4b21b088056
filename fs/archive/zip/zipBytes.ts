// A ZIP archive as bytes. Content is read, and compressed on all cores, a little ahead.
//
// Invariant: an entry can also be read front to back without the list at the end: small content has its sizes in its header, large
// content is a deflate stream (of stored blocks where compressing saves nothing), which ends by itself.

import { crc32 } from "node:zlib";
import type { View } from "../../view/view.ts";
import { inOrderAhead } from "../ahead.ts";
import type { ProgressCount } from "../archiveTypes.ts";
import { readPiece } from "../content.ts";
import { deflatedBlock, deflatedWhole, storedBlocks, storedStreamBytes } from "./deflate.ts";
import { blockBytes, targetOf, type ZipEntry } from "./zipEntry.ts";
import {
  centralHeader,
  descriptor,
  endRecords,
  entryBytes,
  localHeader,
  type Written,
} from "./zipHeaders.ts";
import { ZipLedger } from "./zipLedger.ts";

const MiB = 1024 * 1024;
const aheadBytes = 16 * MiB;
const itemsAhead = 4096;

type Entries = () => AsyncGenerator<ZipEntry, void, void>;

/** An entry's content or, of one that is streamed, a block of it. */
type Block = { readonly entry: ZipEntry; readonly offset: number; readonly length: number };

type Packed = {
  readonly bytes: Buffer;
  readonly deflated: boolean;
  /** The bytes before packing. */
  readonly plain: Buffer;
};

export type ZipOptions = {
  readonly compress: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: ProgressCount;
};

/** @param entries goes through the tree; called again for the list at the end */
export async function* zipBytes(
  view: View,
  entries: Entries,
  { compress, signal, progress }: ZipOptions,
): AsyncGenerator<Buffer, void, void> {
  const blocks = inOrderAhead(blocksOf(entries()), {
    begin: (block, stop) => packed(view, block, compress, stop),
    weigh: ({ length }) => length,
    weightMax: aheadBytes,
    itemsMax: itemsAhead,
    signal,
  });
  const ledger = new ZipLedger();
  let crc = 0;
  let compressedBytes = 0;
  for await (const { item, result } of blocks) {
    const { entry, offset, length } = item;
    progress.add(entry, length);
    crc = crc32(result.plain, offset === 0 ? 0 : crc);
    compressedBytes = (offset === 0 ? 0 : compressedBytes) + result.bytes.length;
    const written: Written = { crc, compressedBytes, deflated: result.deflated };
    if (offset === 0) yield localHeader(entry, entry.streamed ? undefined : written);
    yield result.bytes;
    if (offset + length < entry.size) continue;
    if (entry.streamed) yield descriptor(entry, written);
    ledger.add(written);
  }
  yield* listBytes(entries(), ledger);
}

/** How long `zipBytes` is without compression. */
export async function storedZipBytes(entries: Entries): Promise<number> {
  const ledger = new ZipLedger();
  let bytes = 0;
  for await (const entry of entries()) {
    const { size, streamed } = entry;
    const compressedBytes = streamed ? streamBytes(size) : size;
    const written = { crc: 0, compressedBytes, deflated: streamed };
    bytes += entryBytes(entry, written);
    ledger.add(written);
  }
  for await (const piece of listBytes(entries(), ledger)) bytes += piece.length;
  return bytes;
}

function streamBytes(size: number): number {
  const rest = size % blockBytes;
  const whole = Math.floor(size / blockBytes) * storedStreamBytes(blockBytes);
  return whole + (rest === 0 ? 0 : storedStreamBytes(rest));
}

async function* blocksOf(entries: AsyncGenerator<ZipEntry, void, void>): AsyncGenerator<Block, void, void> {
  for await (const entry of entries) {
    const { size } = entry;
    if (size === 0) yield { entry, offset: 0, length: 0 };
    for (let offset = 0; offset < size; offset += blockBytes) {
      yield { entry, offset, length: Math.min(blockBytes, size - offset) };
    }
  }
}

async function packed(view: View, block: Block, compress: boolean, stop: AbortSignal): Promise<Packed> {
  const { entry, offset, length } = block;
  const plain = await plainBytes(view, block, stop);
  if (entry.streamed) {
    const last = offset + length === entry.size;
    if (!compress) return { plain, deflated: true, bytes: storedBlocks(plain, last) };
    if (!last && plain.equals(zeros)) return { plain, deflated: true, bytes: await packedZeros() };
    return { plain, deflated: true, bytes: await deflatedBlock(plain, last) };
  }
  const bytes = compress ? await deflatedWhole(plain) : undefined;
  return bytes === undefined ? { plain, deflated: false, bytes: plain } : { plain, deflated: true, bytes };
}

async function plainBytes(view: View, { entry, offset, length }: Block, stop: AbortSignal): Promise<Buffer> {
  if (entry.attributes.kind === "symlink") return targetOf(view, entry);
  if (length === 0) return nothing;
  return readPiece(view, { node: entry.node, path: entry.path, offset, length }, stop);
}

const nothing = Buffer.alloc(0);
/** Blocks of nothing but zeros are the rule in disk images and sparse files: they are compressed once. */
const zeros = Buffer.alloc(blockBytes);
let zerosPacked: Promise<Buffer> | undefined;

function packedZeros(): Promise<Buffer> {
  zerosPacked ??= deflatedBlock(zeros, false);
  return zerosPacked;
}

/** The list of all entries and the records that end the archive. */
async function* listBytes(
  entries: AsyncGenerator<ZipEntry, void, void>,
  ledger: ZipLedger,
): AsyncGenerator<Buffer, void, void> {
  let count = 0;
  let offset = 0;
  let bytes = 0;
  for await (const entry of entries) {
    const written = ledger.at(count);
    if (written === undefined) break;
    const header = centralHeader(entry, written, offset);
    offset += entryBytes(entry, written);
    bytes += header.length;
    count += 1;
    yield header;
  }
  // A snapshot never changes: this is a defect of the view, and the archive must not look whole.
  if (count !== ledger.length) throw new Error("the tree had other entries when it was read again");
  yield endRecords(count, offset, bytes);
}
