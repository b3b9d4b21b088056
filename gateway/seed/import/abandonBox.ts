// Gives up what has not come of a box: its promises become a need-list, which the agents' next runs send (docs/seeding.md, "Promises").
//
// Invariant: from the first step that changes anything on it goes to its end, whoever asks it to stop: what is left then are the homes, one
// transaction for each vault, the state and the custody log. Only counting what is needed can be left out.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { AbandonProgress, AbandonReport } from "../../admin/importOperations.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import type { OpenVault } from "../../openVault.ts";
import { fromAgents, type Lacking } from "../lacking.ts";
import { BoxLists } from "./boxLists.ts";
import { endPromises } from "./importBox.ts";

/** Chunks that are named for each snapshot; all of them are counted up to this. */
const chunksMax = 10_000;
const namedMax = 20;

type Watch = JobWatch<AbandonProgress>;

/** @throws HoldfastError exists for a box that was imported; disk-full, io-error; the signal's reason while nothing was done */
export async function abandonBox(
  gateway: Gateway,
  box: BoxRow,
  dryRun: boolean,
  watch: Watch,
): Promise<AbandonReport> {
  if (box.state === "imported") {
    throw new HoldfastError(
      ErrorCode.exists,
      `box ${box.number} was imported: nothing of it is expected any more`,
    );
  }
  const rows = [...new Set(box.accounts.map(({ account }) => account))].flatMap((account) =>
    gateway.catalog.vaults.list(account),
  );
  const vaults: OpenVault[] = [];
  for (const { id } of rows) vaults.push(await gateway.vault(id));
  const lostBytes = await bytesNotHere(gateway, box, vaults);
  watch.signal.throwIfAborted();
  if (dryRun) return { box: box.number, lostBytes, ...(await count(vaults, watch, box.number)) };
  watch.onProgress({ phase: "ending", snapshotsDone: 0, snapshots: null });
  // Its devices come home, where its manifest never did call them back.
  for (const { account } of box.accounts) await gateway.homes.recalled(account, box.id);
  await endPromises(gateway, box, vaults, "abandoned");
  const counted = await count(vaults, watch).catch((error: unknown) => {
    if (watch.signal.aborted) return { needs: null, waiting: [] };
    throw error;
  });
  return { box: box.number, lostBytes, ...counted };
}

/** Of the packs on its manifest that were not taken over; null where its manifest has not come. */
async function bytesNotHere(
  gateway: Gateway,
  box: BoxRow,
  vaults: readonly OpenVault[],
): Promise<number | null> {
  if (box.seal === null) return null;
  const lists = await BoxLists.open(gateway.dataDir.path, box);
  let bytes = 0;
  for (const { id } of lists.manifest.vaults) {
    const imported = vaults.find((vault) => vault.id === id)?.boxes.imported;
    for await (const pack of lists.packs(id)) {
      if (imported?.outcomeOf(box.number, pack.name) === undefined) bytes += pack.bytes;
    }
  }
  return bytes;
}

/** What agents have to send, or would have to if the box `without` had ended. @throws the signal's reason */
async function count(
  vaults: readonly OpenVault[],
  { onProgress, signal }: Watch,
  without?: number,
): Promise<{ needs: number; waiting: AbandonReport["waiting"] }> {
  const all = vaults.reduce((sum, { catalog }) => sum + catalog.waiting.list().length, 0);
  let [needs, done] = [0, 0];
  const waiting: AbandonReport["waiting"][number][] = [];
  const tell = (): void => onProgress({ phase: "counting", snapshotsDone: done, snapshots: all });
  for (const vault of vaults) {
    tell();
    await vault.store.flush(() => undefined);
    const needed = (await vault.waits.lacking(without)).get(fromAgents);
    needs += needed?.size ?? 0;
    const lacking: Lacking = new Map(needed && [[fromAgents, needed]]);
    for (const [snapshot] of vault.catalog.waiting.list()) {
      const lacked = await vault.waits.lackedBy(snapshot, chunksMax, lacking, signal);
      const ids = lacked.slice(0, namedMax).map((chunk) => chunk.id);
      if (lacked.length > 0) waiting.push({ snapshot, chunks: lacked.length, ids });
      done++;
      tell();
    }
    signal.throwIfAborted();
  }
  return { needs, waiting };
}
