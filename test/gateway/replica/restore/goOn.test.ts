// A restored gateway goes on with the replica: receipts come again by themselves, when what is fetched back has proven the copies.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { JobState } from "../../../../gateway/replica/job/jobState.ts";
import { FetchAll } from "../../../../gateway/replica/restore/fetchAll.ts";
import { RestoreSite, replica } from "./restoreSite.ts";

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("take-over, then the fetch of packs in the background: the run that follows it signs", async () => {
  const site = await RestoreSite.create();
  const data = await site.newData();
  await site.restore(data);
  await site.withRestored(data, async ({ gateway }) => {
    const vault = await gateway.vault(site.device.vault);
    const packs = [...vault.store.packs.all()];
    const places = vault.store.elsewhere!.places;
    for (const { ordinal, kind } of packs) {
      expect(places.get(ordinal, replica)).toMatchObject({
        listed: true,
        proof: kind === "meta" ? "hashed" : "none",
      });
    }
    const { replication } = gateway;
    replication.start();
    const status = async () =>
      (await replication.status(replica))[0]!.vaults.find((each) => each.vault === vault.id);
    expect(await replication.run({ replica, vault: vault.id, takeOver: true })).toMatchObject([
      { outcome: "done" },
    ]);
    const job = new JobState(vault.store.environment, replica);
    expect(site.snapshots.map((id) => job.hasReceipt(id))).toEqual([false, false]);
    const contents = packs.filter(({ kind }) => kind === "data").length;
    expect(await status()).toMatchObject({ state: "idle", pendingSnapshots: 2, unprovenPacks: contents });
    const proven = (): void => replication.added(replica);
    const fetchAll = new FetchAll({ gateway, monotonicMs: () => performance.now(), proven });
    fetchAll.start();
    await until(() => site.snapshots.every((id) => job.hasReceipt(id)));
    for (const { ordinal } of packs)
      expect(places.get(ordinal, replica)).toMatchObject({ listed: true, proof: "hashed" });
    expect(await status()).toMatchObject({ pendingSnapshots: 0, unprovenPacks: 0 });
    await fetchAll.close();
    const [fetched] = gateway.jobs.list({ kind: "fetch", failed: false, limit: 1 });
    expect(fetched).toMatchObject({ result: "done", figures: { packs: contents, damaged: 0 } });
  });
  await rm(join(data, ".."), { recursive: true, force: true });
  await site.remove();
});
