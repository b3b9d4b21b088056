// What sealing a box would take in and read.

import type { OpenVault } from "../../openVault.ts";
import type { OpenedBox } from "../boxDirectory.ts";
import { packsOnBoard } from "../packsOnBoard.ts";
import type { SealReport } from "./sealBox.ts";
import { VerifiedPacks } from "./verifiedPacks.ts";

/** What is in open packs counts too: they are closed before they are read. `next`: number of the seal. */
export function plannedSeal({ document }: OpenedBox, vaults: readonly OpenVault[], next: number): SealReport {
  const chunks = vaults.reduce((sum, vault) => sum + vault.store.index.count(), 0);
  const snapshots = vaults.reduce((sum, vault) => sum + vault.catalog.newestOrder(), 0);
  const nothing = { seal: 0, code: "", manifest: "", damaged: [], hurt: [], already: false };
  const packs = packsOnBoard(vaults);
  const leftBytes = vaults.reduce((sum, { store }) => sum + new VerifiedPacks(store).leftBytes(next), 0);
  return { box: document.box, ...packs, snapshots, chunks, leftBytes, ...nothing };
}
