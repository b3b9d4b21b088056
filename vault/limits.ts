// Every limit of the format in one place, with the relations between them asserted at load.
// docs/format.md lists the same numbers; a reader may refuse what is outside them.

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** FastCDC parameters of chunker "fastcdc-1". */
  chunkBytesMin: 256 * KiB,
  chunkBytesNormal: 1 * MiB,
  chunkBytesMax: 4 * MiB,
  /** Chunk length of chunker "fixed-1". */
  fixedChunkBytes: 1 * MiB,
  /** Chunk length of chunker "fixed-2": what one random read of a disk image has to open. */
  imageChunkBytes: 128 * KiB,
  /** A smaller file is not taken for a disk image, whatever its name. */
  diskImageBytesMin: 16 * MiB,
  /** Files up to this size share chunks with their neighbours (bundles). */
  bundledFileBytesMax: 256 * KiB,
  /** A bundle may end at a keyed boundary from here on ... */
  bundleBytesMin: 512 * KiB,
  /** ... and ends before the file that would make it longer than this. */
  bundleBytesMax: 1 * MiB,
  /** Files in one bundle, so that directories never wait long for their bundle. */
  bundleFilesMax: 2048,
  /** Plaintext of one record. */
  plainBytesMax: 4 * MiB,
  refsPerRecordMax: 2048,
  /** Header 72, heals 32, refs, sealed body (4 + plaintext, stored when it does not shrink), tag 16. */
  recordBytesMax: 72 + 32 + 2048 * 32 + 4 + 4 * MiB + 16,
  /** A pack is closed when it reaches this size ... */
  packBytesTarget: 32 * MiB,
  /** ... and is never longer than this, trailer and footer included. */
  packBytesMax: 48 * MiB,
  packRecordsMax: 65_536,
  /** Plaintext of a directory page or an extent page. */
  pageBytesMax: 64 * KiB,
  pageBytesMin: 4 * KiB,
  pageLevelMax: 8,
  extentRowsMin: 64,
  extentRowsMax: 1024,
  /** More extents than this move from the directory entry to extent pages. */
  inlineExtentsMax: 8,
  nameBytesMax: 1024,
  /** Name of a user or group, in UTF-8. */
  ownerNameBytesMax: 256,
  symlinkBytesMax: 32 * KiB,
  inlineXattrBytesMax: 1 * KiB,
  xattrBlobBytesMax: 4 * MiB,
  fileBytesMax: 2 ** 53 - 1,
  directoryDepthMax: 4096,
  snapshotBodyBytesMax: 1 * MiB,
  snapshotBytesMax: 156 + 4 + 1 * MiB + 16,
  /** Backed-up paths that a snapshot's body lists. */
  snapshotPathsMax: 65_536,
  documentBytesMax: 1 * MiB,
  /** Wraps of one keys document: password, recovery key, devices and escrow. */
  wrapsMax: 4096,
  /** Of those, of kind escrow. */
  escrowsMax: 16,
  /** Flags in one list of features. */
  featureFlagsMax: 64,
  /** Key epochs of one ring. */
  epochsMax: 4096,
  fileHashBlockBytes: 1 * MiB,
  /** A root object, or a receipt, of a replica: both lines. */
  rootBytesMax: 4 * KiB,
  /** A home record or the manifest of a box: both lines. */
  signedBytesMax: 256 * KiB,
  /** Devices of an account that have homes of their own; addresses of one home. */
  homeDevicesMax: 1000,
  homeUrlsMax: 16,
  /** A line of a box's custody log, and its lines. */
  custodyLineBytesMax: 4 * KiB,
  custodyLinesMax: 10_000,
  /** Vaults on the manifest of a box; addresses of its datacentre. */
  seedVaultsMax: 256,
  seedUrlsMax: 16,
  /** Rows of a manifest page; a top page has more. */
  manifestRowsMax: 4096,
  manifestPagesMax: 16_384,
  /** Packs of one index segment, and its bytes. */
  segmentPacksMax: 4096,
  segmentBytesMax: 16 * MiB,
  /** A sealed catalog, and the JSON text in it. */
  catalogBytesMax: 64 * MiB,
  /** Records that may be sealed in one key epoch (random 16-byte IVs, AES-CTR). */
  recordsPerEpochMax: 2 ** 36,
  kdfIterationsMin: 210_000,
  kdfIterationsDefault: 600_000,
  kdfIterationsMax: 50_000_000,
} as const;

/** The smallest row of a pack: frame header plus an empty record. Bounds the trailer by the pack. */
const trailerRowBytes = 64;

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`vault/limits.ts: broken relation: ${relation}`);
}

assertRelation(limits.chunkBytesMin < limits.chunkBytesNormal, "chunkBytesMin < chunkBytesNormal");
assertRelation(limits.chunkBytesNormal < limits.chunkBytesMax, "chunkBytesNormal < chunkBytesMax");
assertRelation(limits.chunkBytesMax <= limits.plainBytesMax, "chunkBytesMax <= plainBytesMax");
assertRelation(limits.fixedChunkBytes <= limits.chunkBytesMax, "fixedChunkBytes <= chunkBytesMax");
assertRelation(limits.imageChunkBytes < limits.fixedChunkBytes, "imageChunkBytes < fixedChunkBytes");
assertRelation(limits.bundledFileBytesMax < limits.diskImageBytesMin, "a disk image is no bundled file");
assertRelation(limits.bundledFileBytesMax <= limits.bundleBytesMin, "a bundled file fits a bundle");
assertRelation(
  limits.bundleBytesMin + limits.bundledFileBytesMax <= limits.bundleBytesMax,
  "a bundle below its minimum takes any bundled file",
);
assertRelation(limits.bundleBytesMax <= limits.plainBytesMax, "bundleBytesMax <= plainBytesMax");
assertRelation(limits.extentRowsMax * 16 + 8 <= limits.pageBytesMax, "a full extent page fits a page");
assertRelation(limits.extentRowsMax <= limits.refsPerRecordMax, "an extent page's refs fit a record");
assertRelation(
  limits.nameBytesMax + limits.symlinkBytesMax + limits.inlineXattrBytesMax + 2048 <= limits.pageBytesMax,
  "the largest directory row fits a page",
);
assertRelation(
  limits.packBytesTarget + limits.recordBytesMax + limits.packRecordsMax * trailerRowBytes + 2 * MiB <=
    limits.packBytesMax,
  "a pack that reached its target still takes one record and its trailer",
);
assertRelation(limits.packBytesMax < 2 ** 32, "offsets in a pack fit 32 bits");
assertRelation(
  limits.packRecordsMax * (trailerRowBytes + 16) + 1024 <= limits.segmentBytesMax,
  "an index segment takes the trailer of any pack",
);
assertRelation(limits.kdfIterationsMin <= limits.kdfIterationsDefault, "KDF floor <= default");
