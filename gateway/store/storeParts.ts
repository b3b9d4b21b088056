// What a vault's store is made of, opened in the order in which a stop is recovered from.

import { closeSync } from "node:fs";
import { nodeSha256, type Sha256Engine } from "../../vault/sha256.ts";
import type { ElsewhereOptions } from "../cache/vaultElsewhere.ts";
import { ChunkIndex } from "../index/chunkIndex.ts";
import { DeadSets } from "../index/deadSets.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../index/environment.ts";
import { IndexOverlay } from "../index/overlay.ts";
import { PackPlaces } from "../index/packPlaces.ts";
import { PackTable } from "../index/packTable.ts";
import { PromisedRecords } from "../seed/promisedRecords.ts";
import { Promises } from "../seed/promises.ts";
import { PackRemoval } from "./packRemoval.ts";
import { PackTails } from "./packTails.ts";
import { Pins } from "./pins.ts";
import { recoverEvictions } from "./recoverEvictions.ts";
import { type RecoveryReport, recoverPacks } from "./recoverPacks.ts";

export type VaultStoreOptions = {
  /** The vault's directory; it exists. */
  readonly directory: string;
  /** Encrypts the index; see openIndexEnvironment. */
  readonly indexKey?: string | undefined;
  /** The gateway's number for a device id (16 bytes). */
  readonly writerOrdinal: (device: Uint8Array) => number;
  /** Free bytes below which uploads are refused. */
  readonly reserveBytes: number;
  /** Where packs may be besides the local disk; without it, evicted ones cannot be read. */
  readonly elsewhere?: ElsewhereOptions;
  /** Told what happens in the background and at recovery. */
  readonly report: (event: string, facts: Record<string, unknown>) => void;
  /** Told when a pack was closed. */
  readonly packClosed?: () => void;
  /** Told how many seconds each group commit took. */
  readonly groupCommitted?: (seconds: number) => void;
  /** Hashes what is stored; node:crypto by default. */
  readonly sha256?: Sha256Engine | undefined;
  /** For tests. */
  readonly packBytesTarget?: number;
};

/** Rows of the overlay: a third of it is room for what is admitted while a flush runs. */
const overlayRowsMax = 400_000;

export type StoreParts = {
  readonly environment: IndexEnvironment;
  readonly index: ChunkIndex;
  readonly overlay: IndexOverlay;
  readonly packs: PackTable;
  readonly promises: Promises;
  readonly promised: PromisedRecords;
  readonly pins: Pins;
  readonly dead: DeadSets;
  readonly removal: PackRemoval;
  readonly tails: PackTails;
  readonly recovery: RecoveryReport;
};

/** @throws HoldfastError data-dir-invalid, disk-full, io-error */
export async function openStoreParts(options: VaultStoreOptions): Promise<StoreParts> {
  const environment = openIndexEnvironment(`${options.directory}/index`, options.indexKey);
  let recovery: RecoveryReport | undefined;
  try {
    const index = new ChunkIndex(environment);
    const packs = new PackTable(environment);
    // Before anything is looked up: what is dead must not be met by recovery.
    const dead = new DeadSets(environment);
    await dead.removeLeft();
    index.dead = dead.load();
    // Before what is in packs/ is compared with the table.
    const removal = new PackRemoval({ directory: options.directory, environment, packs });
    await removal.unlink();
    const overlay = new IndexOverlay(index, packs, { rowsMax: overlayRowsMax });
    const promises = new Promises(environment);
    const pins = new Pins();
    const promised = new PromisedRecords(overlay, promises, pins);
    const { directory, writerOrdinal, report, sha256 = nodeSha256 } = options;
    const knowsBox = promises.boxes().length > 0;
    recovery = await recoverPacks({
      ...{ directory, packs, overlay, promised, knowsBox, writerOrdinal, report, sha256 },
      packBytesTarget: options.packBytesTarget,
    });
    await promises.removeLeft();
    const tails = new PackTails(directory);
    await recoverEvictions({ ...options, packs, places: new PackPlaces(environment), tails });
    return { environment, index, overlay, packs, promises, promised, pins, dead, removal, tails, recovery };
  } catch (error) {
    for (const { fd } of [...(recovery?.resumed ?? []), ...(recovery?.full ?? [])]) closeSync(fd);
    await environment.close();
    throw error;
  }
}
