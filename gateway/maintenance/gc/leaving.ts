// Snapshots whose time in the trash is over leave for good: the one step of garbage collection that asks the clock.

import { rm } from "node:fs/promises";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { heldItems } from "../../guard/heldItems.ts";
import { forgetSnapshots } from "../../replica/job/forgetSnapshots.ts";
import { type Collection, requireFree } from "./collection.ts";

/** Snapshots that are to leave now, newest commit first: never an item's newest one, a pinned one, nor one whose item the guard holds. */
export function leavingNow({ vault, nowMs }: Pick<Collection, "vault" | "nowMs">): Snapshot[] {
  const { catalog } = vault;
  const guarded = heldItems(catalog);
  return catalog.allSnapshots().filter(({ id, item }) => {
    const row = catalog.retention.trashRow(id);
    if (row === undefined || guarded.has(item) || catalog.retention.marks(id).pin !== null) return false;
    // A time that cannot be read is not over.
    return Date.parse(row.until) <= nowMs && catalog.item(item)?.head !== id;
  });
}

/**
 * Takes them out in one transaction; their files go behind it. What a stop leaves of these, opening the vault removes as orphans.
 * @throws Held; HoldfastError disk-full, io-error
 */
export async function leave(collection: Collection): Promise<Snapshot[]> {
  const { vault } = collection;
  const gone = vault.store.environment.write(() => {
    requireFree(vault);
    const leaving = leavingNow(collection);
    for (const snapshot of leaving) vault.catalog.leave(snapshot);
    forgetSnapshots(
      vault.store.environment,
      leaving.map(({ id }) => id),
    );
    if (leaving.length > 0) vault.catalog.countChange();
    return leaving;
  });
  for (const { id } of gone) {
    await rm(vault.snapshotPath(id), { force: true });
    collection.report("snapshot-left", { snapshot: id });
  }
  return gone;
}
