// How much a box holds, before it is sealed, too.

import type { OpenVault } from "../openVault.ts";

/** Packs of these vaults that hold something, and what is durable of them. */
export function packsOnBoard(vaults: readonly OpenVault[]): { packs: number; packBytes: number } {
  let [packs, packBytes] = [0, 0];
  for (const vault of vaults) {
    for (const { state, bytes, coveredBytes } of vault.store.packs.all()) {
      const held = state === "open" ? coveredBytes : bytes;
      if (held === 0) continue;
      packs++;
      packBytes += held;
    }
  }
  return { packs, packBytes };
}
