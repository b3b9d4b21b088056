// Every magic, width and type number of docs/format.md in one place.

export const formatVersion = 1;

/** Magics are 4 ASCII characters; the values are their bytes as one little-endian u32. */
export const Magic = {
  record: magicNumber("HFr1"),
  pack: magicNumber("HFp1"),
  frame: magicNumber("HFf1"),
  trailer: magicNumber("HFt1"),
  footer: magicNumber("HFe1"),
  snapshot: magicNumber("HFs1"),
  manifest: magicNumber("HFm1"),
  segment: magicNumber("HFi1"),
  catalog: magicNumber("HFc1"),
  seedList: magicNumber("HFb1"),
} as const;

function magicNumber(text: string): number {
  return Buffer.from(text, "latin1").readUInt32LE(0);
}

/** What a record holds (section 5). `partial` is reserved. */
export const RecordType = { data: 1, directory: 2, extents: 3, xattrs: 4, partial: 5 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** How a record's payload is stored. */
export const Compression = { stored: 0, zstd: 1 } as const;
export type Compression = (typeof Compression)[keyof typeof Compression];

/** What a pack holds (section 7.1). */
export const PackKind = { data: 1, metadata: 2 } as const;
export type PackKind = (typeof PackKind)[keyof typeof PackKind];

/** What the rows of a manifest page name (section 11.3). */
export const ManifestPageType = { top: 1, packs: 2, snapshots: 3, segments: 4, doomed: 5 } as const;
export type ManifestPageType = (typeof ManifestPageType)[keyof typeof ManifestPageType];

/** What a doomed object of a replica was (section 11.3). */
export const DoomedClass = { pack: 1, snapshot: 2, segment: 3, manifestPage: 4, catalog: 5 } as const;
export type DoomedClass = (typeof DoomedClass)[keyof typeof DoomedClass];

/** What a list of a box's manifest names (section 12.3). */
export const SeedListType = { packs: 1, snapshots: 2, chunks: 3 } as const;
export type SeedListType = (typeof SeedListType)[keyof typeof SeedListType];

/** Widths in bytes. */
export const Width = {
  id: 32,
  iv: 16,
  tag: 16,
  vaultId: 16,
  deviceId: 16,
  itemId: 16,
  key: 32,
  /** The plain length inside a sealed body. */
  plainLength: 4,
  /** Record header without `heals` and references. */
  recordHeader: 72,
  /** What recordLengthFromHeader needs to see. */
  recordPrefix: 24,
  heals: 32,
  packHeader: 32,
  packNonce: 16,
  frame: 64,
  /** Truncated SHA-256 of a record in frames and trailers. */
  recordHash: 16,
  trailerHeader: 16,
  trailerRow: 64,
  footer: 72,
  snapshotHeader: 156,
  extentPageHeader: 8,
  extentRow: 16,
  directoryPageHeader: 8,
  manifestHeader: 24,
  manifestTopRow: 80,
  manifestRow: 48,
  segmentHeader: 16,
  /** What stands before the tail of a pack in an index segment: name, lengths and the pack's header. */
  segmentEntry: 80,
  catalogHeader: 12,
  seedListHeader: 24,
  seedPackRow: 48,
  /** Before a snapshot object in the list of snapshots: when it was received, and its length. */
  seedSnapshotHeader: 12,
} as const;

/** Flag bits of a record header. */
export const RecordFlag = { heals: 1 } as const;

/** Flag bits of a snapshot header. */
export const SnapshotFlag = { incomplete: 1 } as const;

/** The ordinal that stands for a hole in an extent page. */
export const holeOrdinal = 0xffff_ffff;

/** KDF suites of section 4. */
export const KdfSuite = { pbkdf2HmacSha512: 1 } as const;
