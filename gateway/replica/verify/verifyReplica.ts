// Reads a share of a replica again and compares it with what it should be: `replica verify`.
//
// Invariants
// - What it will ask for is said before the first pack is asked for, and what it did ask for afterwards.
// - A copy that is wrong counts as kept elsewhere no more. Only bytes that have the hash of their name heal it.

import type { JobWatch } from "../../admin/job.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { addUsage } from "../job/storeUsage.ts";
import { openReplicaStore } from "../openStore.ts";
import type { ReplicaStore, StoreUsage } from "../replicaStore.ts";
import { estimateCost } from "../s3/cost.ts";
import { VaultVerify, type VerifyPlan } from "./verifyVault.ts";

/** An object that is not what it should be. `healed`: a good copy was put there and read back. */
export type Finding = {
  readonly vault: string;
  readonly key: string;
  readonly why: string;
  readonly healed: boolean;
};

export type VerifyBudget = {
  readonly objects: number;
  readonly requests: number;
  readonly egressBytes: number;
  /** US dollars at list prices; null where the place does not bill requests. */
  readonly costUsd: number | null;
};

export type VerifyProgress = {
  /** What it is going to ask for: from the first progress on. */
  readonly budget: VerifyBudget;
  readonly objectsDone: number;
  readonly bytesDone: number;
};

export type VerifyReport = {
  readonly budget: VerifyBudget;
  /** What it did ask for. */
  readonly used: VerifyBudget;
  /** Packs that the replica should hold, all of them. */
  readonly packs: number;
  readonly packsVerified: number;
  readonly findings: readonly Finding[];
};

export type VerifyRequest = { readonly sharePercent: number; readonly heal: boolean };

/** Requests of a store by which bytes are read and looked for. */
const requestsOf = (usage: StoreUsage): number =>
  Object.values(usage.requests).reduce((sum, count) => sum + count, 0);

/** @throws HoldfastError rollback-detected, replica-unreachable, replica-refused, replica-damaged (a root), cancelled */
export async function verifyReplica(
  gateway: Gateway,
  replica: Replica,
  request: VerifyRequest,
  { onProgress, signal }: JobWatch<VerifyProgress>,
): Promise<VerifyReport> {
  const store = await openReplicaStore(replica, gateway);
  let roots = store;
  try {
    const { rootUrl } = replica.options;
    if (rootUrl !== undefined) roots = await openReplicaStore({ ...replica, url: rootUrl }, gateway);
    const findings: Finding[] = [];
    const vaults: VaultVerify[] = [];
    for (const { id } of gateway.catalog.vaults.list()) {
      const vault = await VaultVerify.prepare(
        { gateway, replica, store, roots, vault: id, ...request, signal },
        findings,
      );
      if (vault !== undefined) vaults.push(vault);
    }
    const budget = budgetOf(store, vaults.map(({ plan }) => plan), usedBy(store, roots)); // biome-ignore format: one line
    let objectsDone = 0;
    let bytesDone = 0;
    onProgress({ budget, objectsDone, bytesDone });
    let packsVerified = 0;
    for (const vault of vaults) {
      packsVerified += await vault.run(findings, (bytes) => {
        objectsDone++;
        bytesDone += bytes;
        onProgress({ budget, objectsDone, bytesDone });
      });
    }
    const usage = usedBy(store, roots);
    const used = {
      objects: objectsDone,
      requests: requestsOf(usage),
      egressBytes: usage.receivedBytes,
      costUsd: costOf(store, usage.requests, usage.receivedBytes),
    };
    const packs = vaults.reduce((sum, vault) => sum + vault.plan.packsListed, 0);
    return { budget, used, packs, packsVerified, findings };
  } finally {
    await store.close();
    if (roots !== store) await roots.close();
  }
}

function usedBy(store: ReplicaStore, roots: ReplicaStore): StoreUsage {
  return roots === store ? store.usage() : addUsage(store.usage(), roots.usage());
}

/** `spent`: what reading the roots and manifests took. */
function budgetOf(store: ReplicaStore, plans: readonly VerifyPlan[], spent: StoreUsage): VerifyBudget {
  const reads = plans.reduce((sum, { requests }) => sum + requests, 0);
  const egressBytes = plans.reduce((sum, plan) => sum + plan.egressBytes, spent.receivedBytes);
  const requests = { ...spent.requests, GetObject: (spent.requests.GetObject ?? 0) + reads };
  return {
    objects: plans.reduce((sum, { objects }) => sum + objects, 0),
    requests: requestsOf(spent) + reads,
    egressBytes,
    costUsd: costOf(store, requests, egressBytes),
  };
}

function costOf(
  store: ReplicaStore,
  requests: Readonly<Record<string, number>>,
  bytes: number,
): number | null {
  return store.kind === "s3" ? estimateCost(requests, bytes) : null;
}
