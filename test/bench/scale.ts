// How big a run is. `full` is what the figures are about; `tiny` is the same steps in seconds, for the test suite.

const MIB = 1 << 20;
const GIB = 1 << 30;

export type Scale = {
  readonly mode: "full" | "tiny";
  /** The corpus takes trees in order until both floors are reached. */
  readonly trees: readonly string[];
  readonly minFiles: number;
  readonly minBytes: number;
  /** Files above this are left out, so that one of them cannot be the corpus. */
  readonly maxFileBytes: number;
  readonly editedFiles: number;
  readonly imageBytes: number;
  readonly imageEdits: number;
  readonly imageEditBytes: number;
  /** Files of the folder that is listed over WebDAV. */
  readonly flatFiles: number;
  readonly runs: number;
  /** Bytes that a box carries besides the tree, and packs of a box of small ones. */
  readonly seedBytes: number;
  readonly seedPacks: number;
  /**
   * Free bytes wanted below --dir by `--seeding`: `seedBytes` twice (content and box, then box and copy, then box and datacentre), a gateway's
   * copy of the tree, the corpus; and where only the small packs are measured.
   */
  readonly seedFreeBytes: number;
  readonly seedSmallFreeBytes: number;
  /** Agents at once, and how long they upload. */
  readonly fleetAgents: number;
  readonly fleetSeconds: number;
  /** Free bytes wanted below --dir by `--fleet`: what so many seconds bring, twice, at any speed that is to be had. */
  readonly fleetFreeBytes: number;
  readonly upkeep: UpkeepScale;
  /** Free bytes wanted below --dir by `--offsite`, which keeps everything several times in its S3 server. */
  readonly offsiteFreeBytes: number;
  /** Free bytes wanted below --dir: corpus, image and one repository per peer. */
  readonly freeBytes: number;
  /** And for each run and peer: restored trees are deleted when all runs are done. */
  readonly restoredBytes: number;
};

/** The cases of `--upkeep`. */
export type UpkeepScale = {
  /** Of which half are removed; and files that are edited before each. */
  readonly snapshots: number;
  readonly edits: number;
  /** Bytes that are scrubbed besides the snapshots. */
  readonly scrubBytes: number;
  /** Chunks of the index that is marked and swept. */
  readonly chunks: number;
  /** Free bytes wanted below --dir but for the index, and for each chunk of it. */
  readonly freeBytes: number;
  readonly freeBytesPerChunk: number;
};

const trees = ["/usr/share", "/usr/bin", "/usr/lib", "/usr/include", "/usr/local", "/opt", "/var/lib"];

/** The measured case: at least 1 GB in 45,000 real files, and a 2 GiB image. */
export const fullScale: Scale = {
  mode: "full",
  trees,
  minFiles: 45_000,
  minBytes: 1e9,
  maxFileBytes: 128 * MIB,
  editedFiles: 1_000,
  imageBytes: 2 * GIB,
  imageEdits: 20,
  imageEditBytes: MIB,
  flatFiles: 10_000,
  runs: 5,
  seedBytes: 20e9,
  seedPacks: 50_000,
  seedFreeBytes: 46 * GIB,
  seedSmallFreeBytes: 8 * GIB,
  fleetAgents: 50,
  fleetSeconds: 20,
  fleetFreeBytes: 24 * GIB,
  upkeep: {
    ...{ snapshots: 200, edits: 200, scrubBytes: 8e9, chunks: 100_000_000 },
    ...{ freeBytes: 24 * GIB, freeBytesPerChunk: 200 },
  },
  offsiteFreeBytes: 22 * GIB,
  freeBytes: 12 * GIB,
  restoredBytes: 1.5 * GIB,
};

/** The same steps on a few hundred files, so that they cannot rot. Its figures mean nothing. */
export const tinyScale: Scale = {
  mode: "tiny",
  trees,
  minFiles: 400,
  minBytes: 4e6,
  maxFileBytes: 2 * MIB,
  editedFiles: 20,
  imageBytes: 16 * MIB,
  imageEdits: 4,
  imageEditBytes: 64 * 1024,
  flatFiles: 300,
  runs: 1,
  seedBytes: 24 * MIB,
  seedPacks: 200,
  seedFreeBytes: GIB,
  seedSmallFreeBytes: GIB,
  fleetAgents: 4,
  fleetSeconds: 1,
  fleetFreeBytes: GIB,
  upkeep: {
    ...{ snapshots: 4, edits: 4, scrubBytes: 48 * MIB, chunks: 20_000 },
    ...{ freeBytes: GIB, freeBytesPerChunk: 200 },
  },
  offsiteFreeBytes: GIB,
  freeBytes: GIB,
  restoredBytes: 8 * MIB,
};

/** The cases of `--large`. */
export type LargeScale = {
  readonly files: number;
  readonly filesPerFolder: number;
  /** Files of one folder that is listed. */
  readonly flatFiles: number;
  readonly sparseBytes: number;
  readonly sparseDataBytes: number;
  readonly indexChunks: number;
  readonly freeBytes: number;
};

/** A million files, a 20 GiB file that is a quarter data, ten million chunks. */
export const largeScale: LargeScale = {
  files: 1_000_000,
  filesPerFolder: 1_000,
  flatFiles: 100_000,
  sparseBytes: 20 * GIB,
  sparseDataBytes: 5 * GIB,
  indexChunks: 10_000_000,
  freeBytes: 40 * GIB,
};

/** `--large --tiny`: the same cases, small. */
export const tinyLargeScale: LargeScale = {
  files: 500,
  filesPerFolder: 100,
  flatFiles: 1_000,
  sparseBytes: 64 * MIB,
  sparseDataBytes: 8 * MIB,
  indexChunks: 20_000,
  freeBytes: GIB,
};
