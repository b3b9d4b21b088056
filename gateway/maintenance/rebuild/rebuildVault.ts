// One vault's index, from its packs alone.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readKeptPart } from "../../keptPart.ts";
import { type BuiltIndex, buildIndex } from "./buildIndex.ts";
import { type KnownRows, noPart, oldRows, wrongOf } from "./knownRows.ts";
import { moveAside } from "./moveAside.ts";
import type { NamedFile } from "./packFile.ts";
import { type PackDamage, packsToSettle, removeSuperseded, settlePacks } from "./settlePacks.ts";
import { readSnapshotFiles, type SnapshotFiles } from "./snapshotFiles.ts";
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
  /** Read all packs whole, not metadata packs alone. */
  readonly hashed: boolean;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RebuildProgress) => void;
  /** See SettlePort. */
  readonly heal?: (file: NamedFile, why: string) => Promise<boolean>;
  /** The same for a snapshot object. */
  readonly healSnapshot?: (id: string, why: string) => Promise<boolean>;
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
    received: new Map(),
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
  const known = await knownRows(wanted);
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
    hashed: wanted.hashed,
    dryRun,
    wrong: known.wrong,
    signal,
    looked: step,
    onDamage: (found) => damage.push(found),
    heal: wanted.heal ?? (async () => false),
  });
  const snapshots = await settleSnapshots(wanted, known);
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
      for (const id of snapshots.aside) {
        await moveAside(directory, join(directory, "snapshots", id), `snapshot-${id}`);
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

/** Heals and reads snapshot objects. `aside`: files that do not count. */
async function settleSnapshots(
  { directory, vault, healSnapshot }: VaultToRebuild,
  { received }: KnownRows,
): Promise<SnapshotFiles & { readonly aside: readonly string[] }> {
  let found = await readSnapshotFiles(directory, vault, received);
  const here = new Set([...found.rows.map(({ id }) => id), ...found.leftOut]);
  const missing = [...received.keys()].filter((id) => !here.has(id));
  const lost = new Map(missing.map((id) => [id, "its file is not there"]));
  for (const { id, why } of found.damaged) lost.set(id, why);
  let healed = 0;
  for (const [id, why] of lost) if (await healSnapshot?.(id, why)) healed++;
  if (healed > 0) found = await readSnapshotFiles(directory, vault, received);
  const now = new Set(found.rows.map(({ id }) => id));
  const damaged = [...lost].filter(([id]) => !now.has(id)).map(([id, why]) => ({ id, why }));
  return { ...found, damaged, aside: [...found.damaged.map(({ id }) => id), ...found.leftOut] };
}
