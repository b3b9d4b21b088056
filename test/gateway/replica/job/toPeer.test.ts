// Replication to a real gateway in a datacentre: its receipts, and that it looks itself.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PeerRow } from "../../../../gateway/catalog/peers.ts";
import { jsonCodec, openTable } from "../../../../gateway/index/table.ts";
import { JobState } from "../../../../gateway/replica/job/jobState.ts";
import { openReceipt } from "../../../../vault/replica/receipt.ts";
import { GatewayFixture } from "../../gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "../../peer/peerFixture.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";

let far: GatewayFixture;
let peer: TestPeer;
let site: ReplicatedGateway;

beforeEach(async () => {
  far = await GatewayFixture.create();
  site = await ReplicatedGateway.create();
  peer = await addPeer(far, "branch");
  await site.through((store) => store, { openStore: async () => storeOf(peer) });
});
afterEach(async () => {
  await site.remove();
  await far.remove();
});

test("the far gateway signs for each snapshot, under the root that is the newest then", async () => {
  const replica = await site.addReplica("centre");
  const first = await site.backUp(30);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", failure: null, snapshots: 1 });
  const second = await site.backUp(3);
  const report = await site.run(replica);
  expect(report).toMatchObject({ outcome: "done", failure: null, snapshots: 1, generation: 2 });
  const job = new JobState((await site.vault()).store.environment, replica.id);
  for (const [i, { id }] of [first, second].entries()) {
    const receipt = openReceipt(Buffer.from(job.receipt(id)!), far.gateway.peers.signer.publicKey);
    expect(receipt).toMatchObject({ snapshot: id, replica: replica.id, generation: i + 1, proof: "peer" });
  }
  expect(await site.status(replica)).toMatchObject({ state: "idle", pendingSnapshots: 0 });
});

test("what the far end lost it does not sign for", async () => {
  const replica = await site.addReplica("centre");
  await site.backUp(30);
  await site.run(replica);
  const packs = join(far.path, "peers", peer.id, "vaults", site.vaultId, "packs");
  const files = readdirSync(packs, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeGreaterThan(1);
  for (const { parentPath, name } of files) rmSync(join(parentPath, name));
  const second = await site.backUp(3);
  const report = await site.run(replica);
  expect(report).toMatchObject({ outcome: "failed", failure: { code: "replica-damaged" } });
  expect(await site.status(replica)).toMatchObject({
    pendingSnapshots: 1,
    snapshots: { [second.id]: { receipt: false } },
  });
});

test("packs that go ahead count against the quota: where it is used up the backup goes on, and the rest waits", async () => {
  peer = await addPeer(far, "small", { quotaBytes: 60_000 });
  const replication = await site.through((store) => store, { openStore: async () => storeOf(peer) });
  replication.start();
  const replica = await site.addReplica("centre");
  const { commit } = await site.beginBackUp(40);
  while ((await site.status(replica)).failure === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await site.status(replica)).failure).toMatchObject({ code: "replica-full" });
  const id = await commit();
  expect((await site.status(replica)).snapshots[id]).toEqual({ complete: false, receipt: false });
  // The datacentre gives it more room.
  const { environment, peers } = far.gateway.catalog;
  const rows = openTable(environment, "peers", jsonCodec<PeerRow>());
  environment.write(() =>
    rows.put(Buffer.from(peer.id, "hex"), { ...peers.get(peer.id)!, quotaBytes: null }),
  );
  for (;;) {
    const { failure, snapshots } = await site.status(replica);
    if (failure === null && snapshots[id]?.receipt === true) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
