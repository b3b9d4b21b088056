// How far one replica of a vault is behind, from the vault's own tables: as `replica status` tells it, without a row for each snapshot and
// without counting packs: it is looked at every minute.

import type { OpenVault } from "../openVault.ts";
import { type JobRow, JobState } from "../replica/job/jobState.ts";

export type ReplicaLag = {
  /** Snapshots without a receipt. */
  readonly snapshots: number;
  /** Age of the oldest of these snapshots; 0 for none. */
  readonly seconds: number;
  readonly receipts: number;
  /** Why its last run failed. */
  readonly failure: Pick<NonNullable<JobRow["failure"]>, "code" | "message" | "state"> | null;
};

/** Snapshots that are counted one by one; what comes behind them is counted by their numbers. */
const countedMax = 4096;

/** `replica`: its id. */
export function replicaLag(vault: OpenVault, replica: string, now: Date): ReplicaLag {
  const { catalog, store } = vault;
  const { row } = new JobState(store.environment, replica);
  const after = catalog.committedAfter(row.snapshotCursor, countedMax);
  const more = after.length < countedMax ? 0 : catalog.newestOrder() - after.at(-1)!.order;
  const waiting = [
    ...after.slice(0, 1).map(({ snapshot }) => snapshot),
    ...row.snapshotsLeft.flatMap((order) =>
      catalog.committedAfter(order - 1, 1).map(({ snapshot }) => snapshot),
    ),
    ...row.unreceipted.flatMap((id) => catalog.snapshot(id) ?? []),
  ];
  const oldestMs = Math.min(now.getTime(), ...waiting.map(({ received }) => Date.parse(received)));
  const snapshots = after.length + more + row.snapshotsLeft.length + row.unreceipted.length;
  return {
    snapshots,
    seconds: (now.getTime() - oldestMs) / 1000,
    receipts: Math.max(0, catalog.snapshotRows() - snapshots),
    failure: row.failure,
  };
}
