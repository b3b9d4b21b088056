// A session is told that its group is empty only while nothing is stored there: an agent that believes it asks nothing.

import { afterAll, beforeAll, expect, test } from "vitest";
import {
  beginSession,
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
} from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let laptop: TestDevice;
let desktop: TestDevice;
let apart: TestDevice;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  const account = await fixture.account("anna");
  laptop = await fixture.device(account, "laptop");
  desktop = await fixture.device(account, "desktop");
  apart = await fixture.device(account, "apart", true);
});
afterAll(() => fixture.remove());

test("from the first record on it is not, for all devices of the group and for none of another", async () => {
  const first = await beginSession(laptop);
  expect(first.empty).toBe(true);
  expect((await beginSession(desktop)).empty).toBe(true);
  const chunks = Array.from({ length: 300 }, () => dataRecord(laptop));
  await laptop.client.records(first.session, [chunks[0]!.record]);
  expect((await beginSession(desktop)).empty).toBe(false);
  expect((await beginSession(apart)).empty).toBe(true);
  const root = pageRecord(
    laptop,
    chunks.map(({ id }) => id),
  );
  await laptop.client.records(
    first.session,
    [...chunks.slice(1), root].map(({ record }) => record),
  );
  await laptop.client.commit(first.session, snapshotOf(laptop, first.item, 1, null, root.id).bytes);
  expect((await beginSession(laptop)).empty).toBe(false);

  // From LMDB alone, where the rows fill several buckets.
  await fixture.stop();
  await fixture.start();
  const again = (device: TestDevice): TestDevice => ({ ...device, client: fixture.client(device.token) });
  expect((await beginSession(again(desktop))).empty).toBe(false);
  expect((await beginSession(again(apart))).empty).toBe(true);
});
