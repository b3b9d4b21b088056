// Writes index segments: of new packs, and one of many small ones.
//
// Invariants
// - A pack's entry is checked against its own footer before it goes into a segment, wherever it came from.
// - Memory: one segment and its entries, 32 MiB at most, and the tails that are read at a time.

import { toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { Width } from "../../../vault/magic.ts";
import {
  encodeIndexSegment,
  openSegmentPack,
  parseIndexSegment,
  type SegmentPack,
  segmentEntryBytes,
} from "../../../vault/replica/indexSegment.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import { readTailOf } from "../../store/packTails.ts";
import type { Manifest } from "../chain/manifest.ts";
import { putProven, sha256 } from "../chain/namedObjects.ts";
import { namedKey, packKey, vaultFolder } from "../keys.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";
import { fetchObject } from "../restore/fetchObject.ts";
import type { OpenedPack } from "./localPack.ts";
import type { PendingPack } from "./pendingPacks.ts";

export type SegmentPort = {
  readonly vault: string;
  readonly store: ReplicaStore;
  readonly open: (pack: PendingPack) => Promise<OpenedPack>;
  readonly options: PutOptions;
};

/** Tails that are read at a time: 4 MiB each at most, most far less. */
const readAtOnce = 8;
/** Small segments that a manifest has at most: more are joined. */
const smallMax = 64;
/** A segment with so many packs or bytes stays as it is. */
const smallPacks = limits.segmentPacksMax / 2;
const smallBytes = limits.segmentBytesMax / 2;

/** Collects entries and puts a segment whenever it is full. */
class SegmentWriter {
  readonly rows: SegmentRow[] = [];
  readonly #port: SegmentPort;
  #packs: SegmentPack[] = [];
  #bytes: number = Width.segmentHeader;

  constructor(port: SegmentPort) {
    this.#port = port;
  }

  async add(pack: SegmentPack): Promise<void> {
    openSegmentPack(pack);
    const bytes = segmentEntryBytes(pack);
    if (this.#packs.length === limits.segmentPacksMax || this.#bytes + bytes > limits.segmentBytesMax) {
      await this.end();
    }
    this.#packs.push(pack);
    this.#bytes += bytes;
  }

  async end(): Promise<void> {
    if (this.#packs.length === 0) return;
    const { vault, store, options } = this.#port;
    const bytes = encodeIndexSegment(this.#packs);
    const name = sha256(bytes);
    await putProven(store, namedKey(vaultFolder(vault), "index", name), bytes, options);
    this.rows.push({ name, bytes: bytes.length, packs: this.#packs.length });
    this.#packs = [];
    this.#bytes = Width.segmentHeader;
  }
}

/** Writes segments of packs that are in the replica; answers their rows in the order of the packs. */
export async function writeSegments(packs: readonly PendingPack[], port: SegmentPort): Promise<SegmentRow[]> {
  const writer = new SegmentWriter(port);
  for (let at = 0; at < packs.length; at += readAtOnce) {
    const part = packs.slice(at, at + readAtOnce);
    for (const entry of await Promise.all(part.map((pack) => entryOf(pack, port)))) await writer.add(entry);
  }
  await writer.end();
  return writer.rows;
}

/** From the file; where that is gone or damaged meanwhile, from the copy. */
async function entryOf(pack: PendingPack, port: SegmentPort): Promise<SegmentPack> {
  const { name, row } = pack;
  try {
    const opened = await port.open(pack);
    try {
      return await readEntry(pack, async (offset, length) => {
        const bytes = Buffer.alloc(length);
        await opened.read(bytes, offset);
        return bytes;
      });
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
  return readEntry({ name, row }, (offset, length) =>
    port.store.getRange(packKey(port.vault, name), offset, length, port.options.signal),
  );
}

async function readEntry(
  { name, row }: Pick<PendingPack, "name" | "row">,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<SegmentPack> {
  const bytes = await readTailOf(row, read);
  const entry = {
    name,
    bytes: row.bytes,
    header: bytes.subarray(0, Width.packHeader),
    tail: bytes.subarray(Width.packHeader),
  };
  openSegmentPack(entry);
  return entry;
}

export type JoinedSegments = { readonly gone: readonly SegmentRow[]; readonly made: readonly SegmentRow[] };

/**
 * Joins small segments where there are more than 64 of them, and writes all anew where most of what they have is of packs that are not listed
 * any more. Reads them from the replica. Entries of packs that are not listed are left out.
 * @throws HoldfastError replica-damaged, and what the store throws
 */
export async function joinSegments(
  listed: readonly SegmentRow[],
  manifest: Pick<Manifest, "packs" | "hasPack" | "isDoomed">,
  port: SegmentPort,
): Promise<JoinedSegments> {
  const entries = listed.reduce((sum, { packs }) => sum + packs, 0);
  const stale = entries > 2 * manifest.packs + smallMax;
  const small = listed.filter(({ packs, bytes }) => stale || (packs < smallPacks && bytes < smallBytes));
  if (!stale && small.length <= smallMax) return { gone: [], made: [] };
  const writer = new SegmentWriter(port);
  for (const { name, bytes } of small) {
    const key = namedKey(vaultFolder(port.vault), "index", name);
    const segment = await fetchObject(port.store, { key, bytes, sha256: name }, port.options.signal);
    for (const pack of parseIndexSegment(segment)) if (manifest.hasPack(pack.name)) await writer.add(pack);
  }
  await writer.end();
  // The last one may hold just what one of the old ones held: that stays.
  const kept = new Set(writer.rows.map(({ name }) => toHex(name)));
  const stay = new Set(small.map(({ name }) => toHex(name)).filter((name) => kept.has(name)));
  const moved = ({ name }: SegmentRow): boolean => !stay.has(toHex(name));
  const made = writer.rows.filter(moved);
  // What is doomed never comes back, under whatever chain of joins.
  if (made.some(({ name }) => manifest.isDoomed(name))) return { gone: [], made: [] };
  return { gone: small.filter(moved), made };
}
