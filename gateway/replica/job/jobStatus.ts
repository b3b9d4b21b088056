// What a job still has to do, and what is told of it, from the vault's own tables: nothing is asked of the replica.

import type { Replica } from "../../catalog/replicas.ts";
import { GoneObjects } from "../../index/goneObjects.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import { packSlices } from "../../index/packSlices.ts";
import type { OpenVault } from "../../openVault.ts";
import type { Job } from "./job.ts";
import { type JobRow, JobState } from "./jobState.ts";
import { countPending, PendingPacks } from "./pendingPacks.ts";
import type { VaultReplicaStatus } from "./replicationStatus.ts";

/** Snapshots that are read in one go. */
const snapshotsAtOnce = 4096;
const hourMs = 3_600_000;

/** Whether there is anything for a run to do: a snapshot that is not listed or has no receipt, a copy that was found wrong, what left the vault, other keys, or a vault that is not there at all. */
export function isPending(vault: OpenVault, replica: string): boolean {
  const { row } = new JobState(vault.store.environment, replica);
  return (
    row.generation === 0 ||
    row.keysGeneration !== vault.keys.generation ||
    row.unreceipted.length > 0 ||
    row.snapshotsLeft.length > 0 ||
    row.reissue === true ||
    new GoneObjects(vault.store.environment).any(replica) ||
    new PackPlaces(vault.store.environment).wrong(replica).length > 0 ||
    vault.catalog.committedAfter(row.snapshotCursor, 1).length > 0
  );
}

/** Closed packs that are not there as far as is known. */
export function pendingPacks(
  { store }: OpenVault,
  replica: string,
): Promise<{ packs: number; bytes: number }> {
  const { row } = new JobState(store.environment, replica);
  const places = new PackPlaces(store.environment);
  return countPending(new PendingPacks(store.packs, places, replica, row));
}

/** Packs whose proof receipts wait for. A far gateway looks itself. */
async function unprovenPacks({ store }: OpenVault, { id, url }: Replica, row: JobRow): Promise<number> {
  if (row.unreceipted.length === 0 || url.startsWith("https:")) return 0;
  const places = new PackPlaces(store.environment);
  let count = places.wrong(id).length;
  for await (const rows of packSlices(store.packs)) {
    for (const { ordinal } of rows) {
      const place = places.get(ordinal, id);
      if (place?.listed === true && place.proof === "none") count++;
    }
  }
  return count;
}

/** Status of a vault in a replica. */
export async function statusOf(
  vault: OpenVault,
  inReplica: Replica,
  job: Job,
  now: Date,
): Promise<VaultReplicaStatus> {
  const { store, catalog, id } = vault;
  const replica = inReplica.id;
  const memory = new JobState(store.environment, replica);
  const { row } = memory;
  const left = new Set(row.snapshotsLeft);
  const snapshots: Record<string, { complete: boolean; receipt: boolean }> = {};
  let pendingSnapshots = 0;
  let oldest: string | undefined;
  for (let after = 0, more = true; more; ) {
    const part = catalog.committedAfter(after, snapshotsAtOnce);
    for (const { order, snapshot } of part) {
      const receipt = memory.hasReceipt(snapshot.id);
      snapshots[snapshot.id] = { complete: order <= row.snapshotCursor && !left.has(order), receipt };
      after = order;
      if (receipt) continue;
      pendingSnapshots++;
      oldest ??= snapshot.received;
    }
    more = part.length === snapshotsAtOnce;
  }
  const pending = await pendingPacks(vault, replica);
  const { state: failedState, ...failure } = row.failure ?? { state: undefined };
  return {
    vault: id,
    state: job.state(failedState),
    failure: row.failure === null ? null : (failure as VaultReplicaStatus["failure"]),
    nextTry: job.nextTry?.toISOString() ?? null,
    generation: row.generation,
    pendingPacks: pending.packs,
    pendingBytes: pending.bytes,
    unprovenPacks: await unprovenPacks(vault, inReplica, row),
    pendingSnapshots,
    lagHours: oldest === undefined ? null : Math.max(0, now.getTime() - Date.parse(oldest)) / hourMs,
    snapshots,
    progress: job.progress,
    unsent: row.unsent,
    usage: row.usage,
  };
}
