// Snapshot objects on their way to a replica, and which of them have to wait.

import { isHoldfastError } from "../../../vault/errors.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { putProven } from "../chain/namedObjects.ts";
import { namedKey, vaultFolder } from "../keys.ts";
import { inParallel } from "../restore/inParallel.ts";
import type { SnapshotPart } from "./pendingSnapshots.ts";
import type { RunContext } from "./runContext.ts";
import type { SnapshotReach } from "./snapshotReach.ts";

export type SentSnapshots = {
  readonly snapshots: readonly Snapshot[];
  /** Numbers of those that reach a pack which could not be sent, whose own file is damaged, or that are pending. */
  readonly held: readonly number[];
};

/** @throws HoldfastError what the store throws */
export async function putSnapshots(
  { rows }: SnapshotPart,
  reach: SnapshotReach,
  context: RunContext,
): Promise<SentSnapshots> {
  const { vault, store, replica, lane, signal, putOptions, gateway } = context;
  const held = new Set<number>();
  const hold = (order: number, snapshot: string, why: string): void => {
    held.add(order);
    gateway.logger.error({ vault: vault.id, replica: replica.name, snapshot, why }, "snapshot-held-back");
  };
  for (const { order, snapshot } of rows) {
    // Told by lists of snapshots; there is nothing to mend.
    if (vault.catalog.waiting.get(snapshot.id) !== undefined) {
      held.add(order);
      continue;
    }
    const root = vault.store.overlay.lookup(snapshot.group, Buffer.from(snapshot.root, "hex"));
    if (!(await reach.whole(root?.ordinal, signal))) {
      hold(order, snapshot.id, "it needs a pack that is damaged or missing here");
    }
  }
  await inParallel(
    rows.filter(({ order }) => !held.has(order)),
    replica.parallel,
    async ({ order, snapshot }) => {
      let object: Buffer;
      try {
        object = await vault.snapshotObject(snapshot);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        hold(order, snapshot.id, error.message);
        return;
      }
      const key = namedKey(vaultFolder(vault.id), "snapshots", Buffer.from(snapshot.id, "hex"));
      await lane.uploads.use(signal, () => putProven(store, key, object, putOptions));
    },
  );
  const snapshots = rows.filter(({ order }) => !held.has(order)).map(({ snapshot }) => snapshot);
  return { snapshots, held: [...held] };
}
