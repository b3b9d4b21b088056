// A snapshot that waits for a box is not offsite: it is held back until it is whole, and goes with the next run then.

import { afterEach, beforeEach, expect, test } from "vitest";
import { dataRecord } from "../../gatewayFixture.ts";
import { chunkListOf } from "../../seed/chunkLists.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";

let site: ReplicatedGateway;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(async () => {
  await site.remove();
});

test("a pending snapshot is held back, others go, and it follows when it is whole", async () => {
  const { client, vault: id, group } = site.device;
  const vault = await site.fixture.gateway.vault(id);
  const before = await site.backUp(10);
  const onBox = dataRecord(site.device);
  await vault.boxes.promise({ box: 5, seal: 1, list: chunkListOf([{ group, ids: [onBox.id] }]) });
  const pending = await site.backUp(10, 2000, [onBox]);
  const after = await site.backUp(10);
  await vault.waits.settle();
  const listed = (await client.snapshots()).map((row) => [row.id, row.pending]);
  expect(listed).toEqual([
    [after.id, undefined],
    [pending.id, [5]],
    [before.id, undefined],
  ]);
  const replica = await site.addReplica("usb");
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 2, unsent: [] });
  expect(site.check(replica)!.snapshots).toEqual([before.id, after.id]);
  const held = { complete: false, receipt: false };
  const status = await site.status(replica);
  expect(status).toMatchObject({ pendingSnapshots: 1, snapshots: { [pending.id]: held } });
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 0 });
  const item = await client.putItem("files");
  const { session } = await client.startSession({ vault: id, item: item.id, highestSequence: 0 });
  await client.records(session, [onBox.record]);
  await vault.waits.settle();
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(site.check(replica)!.snapshots).toContain(pending.id);
  const complete = { complete: true, receipt: true };
  expect((await site.status(replica)).snapshots[pending.id]).toEqual(complete);
});
