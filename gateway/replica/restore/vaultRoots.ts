// The roots that vaults are restored from: proven by their MACs, and held against what the gateway's catalog says of their chains.

import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { parseRoot, rootHash, type VaultRoot, vaultRootKey } from "../../../vault/replica/root.ts";
import { gatewayFolder, rootKey, vaultFolder } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { damagedObject } from "./fetchObject.ts";
import { fetchRoot, newestOf } from "./findRoot.ts";
import type { RestoredState } from "./gatewayState.ts";
import type { PinnedRoot } from "./restoreMark.ts";

/** A vault's root whose MAC was checked; `hash` is that of the object, hex. */
export type ProvenVaultRoot = { readonly root: VaultRoot; readonly hash: string };

export type VaultRootsPort = {
  /** Where roots are. */
  readonly roots: ReplicaStore;
  /** By vault, where a restore goes on: those that it began with. */
  readonly pinned: Readonly<Record<string, PinnedRoot>> | undefined;
  readonly signal: AbortSignal;
  /** Goes around what is damaged, or throws the error: it decides. */
  readonly tolerate: (error: HoldfastError) => void;
};

/**
 * The root of each vault of the catalog: the pinned one, else the newest. A vault that was made just before the replica's last run may
 * have none yet, and is left out.
 * @throws HoldfastError replica-damaged, rollback-detected; as ReplicaStore's
 */
export async function provenVaultRoots(
  state: RestoredState,
  port: VaultRootsPort,
): Promise<ProvenVaultRoot[]> {
  const proven: ProvenVaultRoot[] = [];
  for (const { id, seen } of state.part.vaults) {
    const metadataKey = state.sealed.metadataKeys[id];
    if (metadataKey === undefined) {
      port.tolerate(damagedObject(gatewayFolder + state.root.sealed.name, `has no key of vault ${id}`));
      continue;
    }
    const pinned = port.pinned?.[id];
    if (port.pinned !== undefined && pinned === undefined) continue;
    const generation = pinned?.generation ?? (await newestOf(port.roots, vaultFolder(id), port.signal));
    if (generation === 0) {
      if (seen !== null) port.tolerate(rolledBack(id, seen.generation));
      continue;
    }
    const found = await newestProven(port, id, generation, Buffer.from(metadataKey, "base64"));
    if (found === undefined) continue;
    if (pinned !== undefined && found.hash !== pinned.root) throw changedMeanwhile();
    if (seen !== null) await checkSeen(port, id, seen, found);
    proven.push(found);
  }
  return proven;
}

/** Damaged roots at the end of a chain that are gone around. */
const rootsTriedMax = 100;

/** The root of a generation; where that is damaged and may be gone around, the newest before it that is not. */
async function newestProven(
  port: VaultRootsPort,
  id: string,
  newest: number,
  metadataKey: Buffer,
): Promise<ProvenVaultRoot | undefined> {
  // A replica may claim any number of roots: it is not followed through all of them.
  for (let generation = newest; generation > 0 && newest - generation < rootsTriedMax; generation--) {
    try {
      return await provenRoot(port, id, generation, metadataKey);
    } catch (error) {
      if (!isHoldfastError(error, ErrorCode.replicaDamaged)) throw error;
      port.tolerate(error);
    }
  }
  return undefined;
}

/** The root of a generation of a vault's chain. @throws HoldfastError replica-damaged, unsupported; as ReplicaStore's */
export async function provenRoot(
  { roots, signal }: Pick<VaultRootsPort, "roots" | "signal">,
  id: string,
  generation: number,
  metadataKey: Buffer,
): Promise<ProvenVaultRoot> {
  const bytes = await fetchRoot(roots, vaultFolder(id), generation, signal);
  try {
    const expected = { chain: "vault" as const, id, generation };
    const root = parseRoot(bytes, expected, vaultRootKey(metadataKey, fromHex(id, 16)));
    return { root, hash: rootHash(bytes) };
  } catch (error) {
    if (!isHoldfastError(error) || error.code === ErrorCode.unsupported) throw error;
    throw damagedObject(rootKey(vaultFolder(id), generation), `proves nothing: ${error.message}`, error);
  }
}

/** The gateway's catalog says how far the vault's chain was: it must still be there. */
async function checkSeen(
  port: VaultRootsPort,
  id: string,
  seen: PinnedRoot,
  newest: ProvenVaultRoot,
): Promise<void> {
  const { generation } = newest.root;
  let found = generation === seen.generation ? newest.hash : "";
  if (generation > seen.generation) {
    found = rootHash(await fetchRoot(port.roots, vaultFolder(id), seen.generation, port.signal));
  }
  if (found !== seen.root) port.tolerate(rolledBack(id, seen.generation));
}

function rolledBack(vault: string, generation: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.rollbackDetected,
    `vault ${vault} was at root ${generation} in this replica, and what is there now is older or another`,
    {
      next: "Find out who put an old state back. --allow-damaged restores what is there.",
      detail: { object: rootKey(vaultFolder(vault), generation) },
    },
  );
}

/** A restore that goes on finds other roots than it began with. */
export function changedMeanwhile(): HoldfastError {
  return new HoldfastError(
    ErrorCode.rollbackDetected,
    "the replica has other roots than when this restore began",
    { next: "Find out who changed it. To begin anew, restore into a new directory." },
  );
}
