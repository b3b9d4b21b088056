// What upkeep asks of whoever can open records: with the keys of vaults that are unlocked in this process, and never without them.

/** A file or folder of a snapshot that lacks something. */
export type HurtFile = {
  /** 64 hex digits. */
  readonly snapshot: string;
  /** As text; a folder stands for all below it. */
  readonly path: string;
  /** Why, in words. */
  readonly why: string;
};

/** A snapshot (64 hex digits), and ids (hex, or the first half of them) of records that are known to be lacking, as many as are listed. */
export type LackingSnapshot = { readonly id: string; readonly ids: readonly string[] };

/** Files of one drill. */
export const drillFilesMax = 100_000;

export type DrillWish = {
  /** Files that are drawn at most, and bytes that are read. */
  readonly files: number;
  readonly bytes: number;
  readonly seed: string;
};

export type DrillProgress = {
  readonly files: number;
  readonly filesTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type Drill = {
  /** Files that were read whole and had their hash, and those of which a part was read, since they are too large. */
  readonly right: number;
  readonly partly: number;
  readonly readBytes: number;
  /** Files, or folders on the way to one, that could not be read, or had another hash. */
  readonly wrong: readonly HurtFile[];
};

export interface VaultContent {
  /**
   * Reads random files of random snapshots and holds them against their hashes; undefined where the vault is locked. Damage is in the result.
   * @throws HoldfastError io-error, replica-unreachable, cancelled
   */
  drill(
    vault: string,
    wish: DrillWish,
    watch: { readonly onProgress: (progress: DrillProgress) => void; readonly signal: AbortSignal },
  ): Promise<Drill | undefined>;

  /**
   * Files of snapshots of which something cannot be read; undefined where the vault is locked.
   * @throws HoldfastError io-error, cancelled
   */
  hurtFiles(
    vault: string,
    snapshots: readonly LackingSnapshot[],
    signal: AbortSignal,
  ): Promise<readonly HurtFile[] | undefined>;
}
