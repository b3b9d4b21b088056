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

export interface VaultContent {
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
