// Pages of a replica's manifest (docs/format.md, section 11.3): a header and rows of one width. Rows keep the order in which what they
// name arrived.
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { DoomedClass, formatVersion, Magic, ManifestPageType, type PackKind, Width } from "../magic.ts";
import { parsePackKind } from "../pack/packHeader.ts";
import { readU64, u64 } from "./u64.ts";

/** A page that a top page lists. Hashes have 32 bytes; `packHash` is zeros unless the page lists packs. */
export type TopRow = {
  readonly page: Uint8Array;
  readonly type: Exclude<ManifestPageType, 1>;
  readonly rows: number;
  readonly bytes: number;
  readonly packHash: Uint8Array;
};
export type PackRow = { readonly name: Uint8Array; readonly bytes: number; readonly kind: PackKind };
export type SnapshotRow = { readonly id: Uint8Array; readonly receivedMs: number; readonly bytes: number };
export type SegmentRow = { readonly name: Uint8Array; readonly bytes: number; readonly packs: number };
export type DoomedRow = {
  readonly name: Uint8Array;
  /** Of the root that dooms it. */
  readonly generation: number;
  readonly class: DoomedClass;
};

type RowOf = { 1: TopRow; 2: PackRow; 3: SnapshotRow; 4: SegmentRow; 5: DoomedRow };

/** A page as it was read: the generation in which it was written, and its rows; hashes in them are views. */
export type ManifestPage<Type extends ManifestPageType> = {
  readonly generation: number;
  readonly rows: readonly RowOf[Type][];
};

type RowCodec<Row> = {
  readonly width: number;
  readonly rowsMax: number;
  /** Writes a row into zeros. */
  readonly encode: (row: Row, into: Buffer) => void;
  readonly decode: (row: Buffer) => Row;
};

const codecs: { readonly [Type in ManifestPageType]: RowCodec<RowOf[Type]> } = {
  1: {
    width: Width.manifestTopRow,
    rowsMax: limits.manifestPagesMax,
    encode: (row, into) => {
      into.set(hash(row.page), 0);
      into[32] = row.type;
      into.writeUInt32LE(row.rows, 40);
      into.writeUInt32LE(row.bytes, 44);
      into.set(hash(row.packHash), 48);
    },
    decode: (row) => {
      const type = row[32]!;
      if (type < ManifestPageType.packs || type > ManifestPageType.doomed) throw corrupt("a page's type");
      zeros(row, 33, 40);
      const rows = row.readUInt32LE(40);
      const bytes = row.readUInt32LE(44);
      if (rows < 1 || rows > limits.manifestRowsMax) throw corrupt("a page's rows");
      if (bytes !== Width.manifestHeader + rows * Width.manifestRow) throw corrupt("a page's length");
      if (type !== ManifestPageType.packs) zeros(row, 48, 80);
      return {
        page: row.subarray(0, 32),
        type: type as TopRow["type"],
        rows,
        bytes,
        packHash: row.subarray(48),
      };
    },
  },
  2: {
    width: Width.manifestRow,
    rowsMax: limits.manifestRowsMax,
    encode: (row, into) => {
      into.set(hash(row.name), 0);
      into.set(u64(row.bytes), 32);
      into[40] = row.kind;
    },
    decode: (row) => {
      zeros(row, 41, 48);
      const bytes = readU64(row, 32);
      if (bytes < packBytesMin || bytes > limits.packBytesMax) throw corrupt("a pack's length");
      return { name: row.subarray(0, 32), bytes, kind: parsePackKind(row[40]!) };
    },
  },
  3: {
    width: Width.manifestRow,
    rowsMax: limits.manifestRowsMax,
    encode: (row, into) => {
      into.set(hash(row.id), 0);
      into.set(u64(row.receivedMs), 32);
      into.writeUInt32LE(row.bytes, 40);
    },
    decode: (row) => {
      zeros(row, 44, 48);
      const bytes = row.readUInt32LE(40);
      if (bytes < Width.snapshotHeader || bytes > limits.snapshotBytesMax)
        throw corrupt("a snapshot's length");
      return { id: row.subarray(0, 32), receivedMs: readU64(row, 32), bytes };
    },
  },
  4: {
    width: Width.manifestRow,
    rowsMax: limits.manifestRowsMax,
    encode: (row, into) => {
      into.set(hash(row.name), 0);
      into.set(u64(row.bytes), 32);
      into.writeUInt32LE(row.packs, 40);
    },
    decode: (row) => {
      zeros(row, 44, 48);
      const bytes = readU64(row, 32);
      const packs = row.readUInt32LE(40);
      if (bytes > limits.segmentBytesMax || packs < 1 || packs > limits.segmentPacksMax) {
        throw corrupt("an index segment's length");
      }
      return { name: row.subarray(0, 32), bytes, packs };
    },
  },
  5: {
    width: Width.manifestRow,
    rowsMax: limits.manifestRowsMax,
    encode: (row, into) => {
      into.set(hash(row.name), 0);
      into.set(u64(row.generation), 32);
      into[40] = row.class;
    },
    decode: (row) => {
      zeros(row, 41, 48);
      const generation = readU64(row, 32);
      const kind = row[40]!;
      if (generation < 1 || kind < DoomedClass.pack || kind > DoomedClass.catalog)
        throw corrupt("what is doomed");
      return { name: row.subarray(0, 32), generation, class: kind as DoomedClass };
    },
  },
};

/** A pack without records. */
const packBytesMin = Width.packHeader + Width.trailerHeader + Width.footer;
export const noPackHash: Buffer = Buffer.alloc(32);

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `manifest page: ${what} cannot be so`);
}

function zeros(row: Buffer, from: number, to: number): void {
  if (!isZero(row.subarray(from, to))) throw corrupt("a reserved byte");
}

function hash(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 32) throw new RangeError("a SHA-256 has 32 bytes");
  return bytes;
}

/** A page of rows, at most as many as its type may have. Throws, as reading it would, for rows that no page may have. */
export function encodeManifestPage<Type extends ManifestPageType>(
  type: Type,
  generation: number,
  rows: readonly RowOf[Type][],
): Buffer {
  const { width, rowsMax, encode, decode } = codecs[type];
  if (rows.length > rowsMax) throw new RangeError(`${rows.length} rows in a manifest page`);
  const bytes = Buffer.alloc(Width.manifestHeader + rows.length * width);
  bytes.writeUInt32LE(Magic.manifest, 0);
  bytes[4] = formatVersion;
  bytes[5] = type;
  bytes.set(u64(generation), 8);
  bytes.writeUInt32LE(rows.length, 16);
  for (const [i, row] of rows.entries()) {
    const at = Width.manifestHeader + i * width;
    const written = bytes.subarray(at, at + width);
    encode(row, written);
    decode(written);
  }
  return bytes;
}

/**
 * Reads a page, which must be of that type.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, unsupported
 */
export function parseManifestPage<Type extends ManifestPageType>(
  type: Type,
  bytes: Uint8Array,
): ManifestPage<Type> {
  const page = asBuffer(bytes);
  if (page.length < Width.manifestHeader) {
    throw new HoldfastError(ErrorCode.truncated, "manifest page cut short");
  }
  if (page.readUInt32LE(0) !== Magic.manifest)
    throw new HoldfastError(ErrorCode.corrupt, "not a manifest page");
  if (page[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `manifest page of version ${page[4]}`);
  }
  if (page[5] !== type) throw corrupt("its type");
  zeros(page, 6, 8);
  zeros(page, 20, 24);
  const generation = readU64(page, 8);
  if (generation < 1) throw corrupt("generation 0");
  const { width, rowsMax, decode } = codecs[type];
  const count = page.readUInt32LE(16);
  if (count > rowsMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `manifest page of ${count} rows`);
  }
  const length = Width.manifestHeader + count * width;
  if (page.length !== length) {
    const code = page.length < length ? ErrorCode.truncated : ErrorCode.corrupt;
    throw new HoldfastError(code, `manifest page of ${page.length} bytes, its count says ${length}`);
  }
  const rows: RowOf[Type][] = [];
  for (let at: number = Width.manifestHeader; at < length; at += width) {
    rows.push(decode(page.subarray(at, at + width)));
  }
  if (type === ManifestPageType.top) checkOrder(rows as readonly TopRow[]);
  return { generation, rows };
}

function checkOrder(rows: readonly TopRow[]): void {
  for (const [i, { type }] of rows.entries()) {
    if (type < (rows[i - 1]?.type ?? 0)) throw corrupt("the order of its pages");
  }
}
