// Gives up what has not come of a box: its promises become a need-list, which the agents' next runs send (docs/seeding.md, "Promises").

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { AbandonReport } from "../../admin/importOperations.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { endPromises, neededRecords } from "./importBox.ts";

/** Chunks that are named for each snapshot; all of them are counted up to this. */
const chunksMax = 10_000;
const namedMax = 20;

/** @throws HoldfastError exists for a box that was imported; disk-full, io-error */
export async function abandonBox(gateway: Gateway, box: BoxRow, dryRun: boolean): Promise<AbandonReport> {
  if (box.state === "imported") {
    throw new HoldfastError(
      ErrorCode.exists,
      `box ${box.number} was imported: nothing of it is expected any more`,
    );
  }
  const vaults = [...new Set(box.accounts.map(({ account }) => account))].flatMap((account) =>
    gateway.catalog.vaults.list(account),
  );
  if (!dryRun) {
    // Its devices come home, where its manifest never did call them back.
    for (const { account } of box.accounts) await gateway.homes.recalled(account, box.id);
    await endPromises(gateway, box, vaults, "abandoned");
  }
  let needs = 0;
  const waiting: { snapshot: string; chunks: number; ids: string[] }[] = [];
  for (const { id } of vaults) {
    const vault = await gateway.vault(id);
    needs += await neededRecords(vault);
    for (const [snapshot, waits] of vault.catalog.waiting.list()) {
      if (dryRun && !waits.some((wait) => wait.box === box.number)) continue;
      const lacked = await vault.waits.lackedBy(snapshot, chunksMax);
      const ids = lacked.slice(0, namedMax).map((chunk) => chunk.id);
      waiting.push({ snapshot, chunks: lacked.length, ids });
    }
  }
  return { box: box.number, needs, waiting };
}
