// What is called whole while boxes end, and while records are found wrong.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";
import { chunkListOf } from "./chunkLists.ts";

let fixture: GatewayFixture;
let device: TestDevice;
beforeEach(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

test("a snapshot is not called whole by what was sound a moment before its box ended", async () => {
  const vault = await fixture.gateway.vault(device.vault);
  const { store, catalog, waits, boxes } = vault;
  const [first, second] = [dataRecord(device), dataRecord(device)];
  const { group } = device;
  await boxes.promise({ box: 1, seal: 1, list: chunkListOf([{ group, ids: [first.id] }]) });
  await boxes.promise({ box: 2, seal: 1, list: chunkListOf([{ group, ids: [second.id] }]) });
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    ...{ vault: device.vault, item: item.id, highestSequence: 0 },
  });
  const other = pageRecord(device, [first.id], randomBytes(8).toString("hex"));
  const root = pageRecord(device, [second.id]);
  await device.client.records(session, [other.record, root.record]);
  await boxes.close(1);
  // The agent asks: what the second box brings need not be sent, so the page is noted as sound.
  expect(await waits.whole(group, Buffer.concat([other.id, root.id]))).toEqual([false, true]);
  const { id, bytes } = snapshotOf(device, item, 1, null, root.id);
  await device.client.commit(session, bytes);
  const snapshot = id.toString("hex");
  await waits.settle();
  expect(catalog.waiting.boxes(snapshot)).toEqual([2]);
  await store.promises.close(2, async (change) => {
    // Between the moment on which the box answers no more and the transaction that says so.
    await waits.settle();
    await store.flush(() => {
      change();
      catalog.renewCacheToken();
    });
  });
  await waits.settle();
  expect(catalog.waiting.get(snapshot)).toMatchObject([{ box: 0 }]);
  expect(await waits.whole(group, root.id)).toEqual([false]);
});
