// Files in snapshots/ that no row names: what a crash between a snapshot's file and its transaction leaves, or a transaction that
// failed.
//
// Invariants
// - It runs before the vault takes its first request: no commit is under way.
// - The names of files that it leaves are durable: whoever finds one (adoptSnapshots.ts) gives it a row as it is.
// - A file goes only when it can never be named again: its item already has a snapshot of that number or a later one, so
//   that a commit of it would be refused. The one that would be next may still be committed by an agent that repeats itself, and
//   were the catalog an older copy, the file might be all that is left of a snapshot: it stays until the item has moved on.
// - Whatever is not understood stays, and is reported.

import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../vault/bytes.ts";
import { isHoldfastError } from "../vault/errors.ts";
import { limits } from "../vault/limits.ts";
import { parseSnapshotHeader, type SnapshotHeader, snapshotId } from "../vault/snapshot.ts";
import type { VaultCatalog } from "./catalog/vaultCatalog.ts";
import { errnoOf, fileError, syncFoundNames } from "./store/files.ts";

const snapshotName = /^[0-9a-f]{64}$/;
const temporaryName = /^[0-9a-f]{64}\.tmp$/;

export type OrphanPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly catalog: VaultCatalog;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** Removes files that commits left behind and that nothing can name again. @throws HoldfastError io-error */
export async function removeOrphanSnapshots({ directory, catalog, report }: OrphanPort): Promise<void> {
  const folder = join(directory, "snapshots");
  await syncFoundNames(folder);
  try {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (temporaryName.test(name)) await rm(path, { force: true });
      else if (!snapshotName.test(name)) report("unknown-file", { path });
      else if (catalog.snapshot(name) === undefined) await settle(path, name);
    }
  } catch (error) {
    throw fileError(error, folder);
  }

  async function settle(path: string, name: string): Promise<void> {
    const header = await headerOf(path, name);
    const item = header === undefined ? undefined : catalog.item(toHex(header.itemId));
    if (header === undefined || item === undefined) return report("unknown-file", { path });
    const { sequence } = header;
    if (sequence > item.sequence) return report("snapshot-not-committed", { path, item: item.id, sequence });
    await rm(path, { force: true });
    return report("orphan-removed", { path, item: item.id, sequence });
  }
}

/** The header of a snapshot object that is what its name says; undefined for anything else. */
async function headerOf(path: string, name: string): Promise<SnapshotHeader | undefined> {
  try {
    if ((await stat(path)).size > limits.snapshotBytesMax) return undefined;
    const object = await readFile(path);
    return toHex(snapshotId(object)) === name ? parseSnapshotHeader(object) : undefined;
  } catch (error) {
    if (isHoldfastError(error) || errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}
