// What replicas are behind and cost: figures of all vaults together, in the forms that people and programs read.

import type { ReplicaStatus, VaultReplicaStatus } from "../gateway/replica/job/replicationStatus.ts";
import { estimateCost } from "../gateway/replica/s3/cost.ts";

export type ReplicaFigures = {
  readonly pendingPacks: number;
  readonly pendingBytes: number;
  readonly pendingSnapshots: number;
  readonly lagHours: number | null;
  readonly bytesPerSecond: number;
  readonly etaSeconds: number | null;
  readonly requests: number;
  /** US dollars at list prices; null where requests are not billed. */
  readonly costUsd: number | null;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Snapshots that were brought there since it was added. */
  readonly broughtSnapshots: number;
  readonly offsite: number;
  readonly known: number;
  readonly state: VaultReplicaStatus["state"];
};

/** Worst first. */
const states = ["fenced", "stopped", "waiting", "running", "idle"] as const;

export function replicaFigures({ replica, vaults, gatewayState }: ReplicaStatus): ReplicaFigures {
  const sum = (of: (vault: VaultReplicaStatus) => number): number =>
    vaults.reduce((total, vault) => total + of(vault), 0);
  const requests: Record<string, number> = {};
  for (const { usage } of vaults) {
    for (const [name, count] of Object.entries(usage.requests))
      requests[name] = (requests[name] ?? 0) + count;
  }
  const lags = vaults.flatMap(({ lagHours }) => (lagHours === null ? [] : [lagHours]));
  const etas = vaults.flatMap(({ progress }) => (progress?.etaSeconds == null ? [] : [progress.etaSeconds]));
  const receivedBytes = sum(({ usage }) => usage.receivedBytes);
  // Its short runs are no news; that it does not get there is.
  const troubled = gatewayState.failure === null ? [] : [gatewayState];
  const snapshots = vaults.flatMap((vault) => Object.values(vault.snapshots));
  return {
    pendingPacks: sum(({ pendingPacks }) => pendingPacks),
    pendingBytes: sum(({ pendingBytes }) => pendingBytes),
    pendingSnapshots: sum(({ pendingSnapshots }) => pendingSnapshots),
    lagHours: lags.length === 0 ? null : Math.max(...lags),
    bytesPerSecond: sum(({ progress }) => progress?.bytesPerSecond ?? 0),
    etaSeconds: etas.length === 0 ? null : Math.max(...etas),
    requests: Object.values(requests).reduce((total, count) => total + count, 0),
    costUsd: replica.url.startsWith("s3:") ? estimateCost(requests, receivedBytes) : null,
    sentBytes: sum(({ usage }) => usage.sentBytes),
    receivedBytes,
    broughtSnapshots: sum(({ usage }) => usage.snapshots),
    offsite: snapshots.filter(({ receipt }) => receipt).length,
    known: snapshots.length,
    state: states.find((state) => [...troubled, ...vaults].some((one) => one.state === state)) ?? "idle",
  };
}

/** "$0.02", and "under $0.01" for what is little. */
export function formatCost(usd: number): string {
  return usd < 0.01 ? "under $0.01" : `about $${usd.toFixed(2)}`;
}
