// One vault's index, from its packs alone.

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readKeptPart } from "../../keptPart.ts";
import { type BuiltIndex, buildIndex } from "./buildIndex.ts";
import { type KnownRows, noPart, oldRows, wrongOf } from "./knownRows.ts";
import { moveAside } from "./moveAside.ts";
import {
  type KnownPack,
  type PackDamage,
  packsToSettle,
  removeSuperseded,
  settlePacks,
} from "./settlePacks.ts";
import { readSnapshotFiles } from "./snapshotFiles.ts";
import { buildingFolder, dryFolder, swapIndex } from "./swapIndex.ts";

export type RebuildProgress = {
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type VaultToRebuild = {
  /** 32 hex digits. */
  readonly vault: string;
  readonly directory: string;
  /** Of an encrypted index. */
  readonly key: string | undefined;
  /** Base64. */
  readonly metadataKey: string;
  readonly writerOrdinal: (device: Uint8Array) => number;
  /** See SettlePort. */
  readonly unsound?: ReadonlyMap<string, string>;
  readonly copies?: readonly KnownPack[];
  /** Rows that packs do not have; looked for unless given. */
  readonly known?: KnownRows;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RebuildProgress) => void;
};

export type RebuiltVault = BuiltIndex & {
  readonly vault: string;
  readonly damage: readonly PackDamage[];
  /** Snapshot objects that are not what they are called, and why. */
  readonly damagedSnapshots: readonly { readonly id: string; readonly why: string }[];
  /** Snapshot objects (hex) that are whole and were never committed. */
  readonly leftOut: readonly string[];
  /** Whether item names, retention and the like could be taken from the old database, from the copy beside it, or from nowhere. */
  readonly rows: "database" | "copy" | "none";
  /** Where the old database is now; null where there was none, or nothing was changed. */
  readonly oldIndex: string | null;
};

/** What the vault's directory says that packs do not. */
export async function knownRows(
  wanted: Pick<VaultToRebuild, "directory" | "vault" | "key" | "metadataKey">,
): Promise<KnownRows> {
  const old = await oldRows(wanted.directory, wanted.vault, wanted.key);
  if (old !== undefined) return old;
  const part = await readKeptPart(wanted.directory, wanted.vault, wanted.metadataKey);
  return {
    part: part ?? noPart,
    snapshots: new Map(),
    packs: new Map(),
    places: [],
    wrong: wrongOf(part?.needs ?? []),
    fromOld: false,
  };
}

/**
 * Rebuilds it; nothing but packs changes before the new index takes the old one's place.
 * @throws HoldfastError disk-full, io-error; the signal's reason
 */
export async function rebuildVault(wanted: VaultToRebuild): Promise<RebuiltVault> {
  const { directory, dryRun, signal } = wanted;
  const known = wanted.known ?? (await knownRows(wanted));
  const total = packsToSettle(directory);
  // Each pack is looked at, and then its records are taken in.
  const progress = { packs: 0, packsTotal: 2 * total.packs, bytes: 0, bytesTotal: 2 * total.bytes };
  const step = (bytes: number): void => {
    progress.packs++;
    progress.bytes += bytes;
    wanted.onProgress({ ...progress });
  };
  const damage: PackDamage[] = [];
  const { packs, superseded } = await settlePacks({
    directory,
    unsound: wanted.unsound,
    copies: wanted.copies ?? [],
    dryRun,
    wrong: known.wrong,
    signal,
    looked: step,
    onDamage: (found) => damage.push(found),
  });
  const snapshots = await readSnapshotFiles(directory, wanted.vault, known.snapshots);
  const folder = dryRun ? dryFolder : buildingFolder;
  try {
    const { key, writerOrdinal } = wanted;
    const built = await buildIndex(
      { directory, folder, key, writerOrdinal, signal, indexed: step },
      packs,
      known,
      snapshots.rows,
    );
    const oldIndex = dryRun ? undefined : await swapIndex(directory);
    if (!dryRun) {
      await removeSuperseded(directory, superseded);
      for (const id of [...snapshots.damaged.map(({ id }) => id), ...snapshots.leftOut]) {
        const path = join(directory, "snapshots", id);
        if (existsSync(path)) await moveAside(directory, path, `snapshot-${id}`);
      }
    }
    return {
      ...built,
      vault: wanted.vault,
      damage,
      damagedSnapshots: snapshots.damaged,
      leftOut: snapshots.leftOut,
      rows: rowsFrom(known),
      oldIndex: oldIndex ?? null,
    };
  } finally {
    await rm(join(directory, folder), { recursive: true, force: true });
  }
}

function rowsFrom({ fromOld, part }: KnownRows): RebuiltVault["rows"] {
  if (fromOld) return "database";
  return part === noPart ? "none" : "copy";
}
