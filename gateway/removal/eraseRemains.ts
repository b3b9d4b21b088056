// Erases what removed accounts left in a replica (docs/security.md, "Removing an account").
//
// Invariants
// - Only vaults that a signed statement of this gateway says were removed, and that its catalog does not have, are touched.
// - Keys documents go first: from then on what is left there opens no more. Whatever stops it, the same again goes on.
// - What is said to be gone was listed again afterwards.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Replica } from "../catalog/replicas.ts";
import type { Gateway } from "../gateway.ts";
import { JobSession } from "../replica/job/jobSession.ts";
import { openReplicaStore } from "../replica/openStore.ts";
import type { ReplicaStore, StoredObject } from "../replica/replicaStore.ts";
import { inParallel } from "../replica/restore/inParallel.ts";
import { listRemovals } from "./removeAccount.ts";

export type EraseRequest = {
  /** Only say what is there. */
  readonly dryRun: boolean;
};

export type ErasedVault = {
  readonly account: string;
  readonly vault: string;
  /** What was there: objects, keys documents among them, and their bytes. */
  readonly objects: number;
  readonly keys: number;
  readonly bytes: number;
  /** Objects that are there now; those that a lock holds go when its days are over. */
  readonly left: number;
};

export type EraseProgress = { readonly objects: number; readonly bytes: number };

type ErasePort = Pick<Gateway, "catalog" | "dataDir" | "now">;

/** Objects that are listed before any of them is deleted, so that no listing goes on over what it deletes. */
const batchObjects = 1000;

/**
 * Erases the vaults of removed accounts in a replica.
 * @throws HoldfastError forbidden for another gateway, which lets nobody empty it from afar; replica-unreachable, replica-refused; cancelled
 */
export async function eraseRemains(
  gateway: ErasePort,
  replica: Replica,
  { dryRun }: EraseRequest,
  { onProgress, signal }: JobWatch<EraseProgress>,
): Promise<ErasedVault[]> {
  const vaults = await removedVaults(gateway, replica);
  if (vaults.length === 0) return [];
  if (replica.url.startsWith("https:")) {
    const folders = vaults.map(({ vault }) => `vaults/${vault}`).join(", ");
    throw new HoldfastError(ErrorCode.forbidden, "another gateway lets nobody empty its copies from afar", {
      next: `Have its administrator delete ${folders} in the folder of this gateway's peer there.`,
    });
  }
  const session = new JobSession((row) => openReplicaStore(row, gateway));
  const done = { objects: 0, bytes: 0 };
  try {
    const { store, roots } = await session.open(replica);
    const stores = new Set([store, roots]);
    const erased: ErasedVault[] = [];
    for (const { account, vault } of vaults) {
      const sum = { objects: 0, bytes: 0, keys: 0, left: 0 };
      const visit = async (store: ReplicaStore, prefix: string): Promise<void> => {
        await eachBatch(store, prefix, signal, async (batch) => {
          await inParallel(batch, replica.parallel, async ({ key, bytes }) => {
            if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "erasing was stopped");
            if (!dryRun) await store.delete(key);
            // Counted when the keys went; a lock holds it.
            if (!dryRun && prefix === allOf(vault) && key.startsWith(keysOf(vault))) return;
            sum.objects++;
            sum.bytes += bytes;
            if (key.startsWith(keysOf(vault))) sum.keys++;
            done.objects++;
            done.bytes += bytes;
          });
          onProgress({ ...done });
        });
      };
      if (!dryRun) for (const store of stores) await visit(store, keysOf(vault));
      for (const store of stores) await visit(store, allOf(vault));
      for (const store of stores) {
        for await (const _object of store.list(allOf(vault), signal)) sum.left++;
      }
      if (sum.objects > 0) erased.push({ account, vault, ...sum });
    }
    return erased;
  } finally {
    await session.close();
  }
}

const allOf = (vault: string): string => `vaults/${vault}/`;
const keysOf = (vault: string): string => `vaults/${vault}/keys/`;

async function removedVaults(
  gateway: ErasePort,
  { name, url }: Replica,
): Promise<{ account: string; vault: string }[]> {
  const { catalog } = gateway;
  const vaults = [];
  for (const deletion of await listRemovals(gateway)) {
    for (const remains of deletion.remains) {
      if (remains.replica !== name && remains.url !== url) continue;
      for (const vault of remains.vaults) {
        if (catalog.vaults.get(vault) === undefined) vaults.push({ account: deletion.name, vault });
      }
    }
  }
  return vaults;
}

async function eachBatch(
  store: ReplicaStore,
  prefix: string,
  signal: AbortSignal,
  take: (batch: StoredObject[]) => Promise<void>,
): Promise<void> {
  let batch: StoredObject[] = [];
  for await (const object of store.list(prefix, signal)) {
    batch.push(object);
    if (batch.length < batchObjects) continue;
    await take(batch);
    batch = [];
  }
  await take(batch);
}
