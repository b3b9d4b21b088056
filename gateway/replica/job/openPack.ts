// Opens packs where they are: here, or in the other replicas that hold evicted ones.

import { isHoldfastError } from "../../../vault/errors.ts";
import type { OpenVault } from "../../openVault.ts";
import { type OpenedPack, openLocalPack } from "./localPack.ts";
import type { PendingPack } from "./pendingPacks.ts";

/**
 * Opens a pack for reading. What is read is not proven. `directory`: the vault's.
 * @throws HoldfastError chunk-missing, io-error; reading throws replica-unreachable, replica-refused, replica-damaged for evicted packs
 */
export async function openPack(vault: OpenVault, directory: string, pack: PendingPack): Promise<OpenedPack> {
  try {
    return await openLocalPack(directory, pack);
  } catch (error) {
    const { packs, elsewhere } = vault.store;
    const row = packs.get(pack.ordinal);
    if (row?.state !== "evicted" || elsewhere === undefined || !isHoldfastError(error, "chunk-missing")) {
      throw error;
    }
    const { copies } = elsewhere;
    return {
      read: async (into, position) => {
        const bytes = await copies.first(row, (replica) => copies.read(row, replica, position, into.length));
        return bytes.copy(into);
      },
      close: () => Promise.resolve(),
    };
  }
}
