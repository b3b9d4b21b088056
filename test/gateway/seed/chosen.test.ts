// Boxes for chosen devices, and for several accounts.

import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { commitOn, makeBox, makeSite, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

test("a box for one device of an account knows that one alone, and the others go on at the datacentre", async () => {
  const site = await makeSite();
  const { datacentre, device, scratch } = site;
  const other = await datacentre.device(device.account, "warehouse");
  await commitOn(other.client, other, "files");
  const box = await makeBox(datacentre, join(scratch, "box"), ["acme"], { devices: ["front-desk"] });
  onTestFinished(() => box.close());
  expect(box.gateway.catalog.devices.list().map(({ name }) => name)).toEqual(["front-desk"]);
  const vault = await box.gateway.vault(device.vault);
  expect(vault.catalog.items()).toEqual([]);
  await expect(box.client(other.token).putItem("files")).rejects.toMatchObject({ code: "token-invalid" });
  await commitOn(other.client, other, "files");
  await expect(commitOn(device.client, device, "files")).rejects.toMatchObject({ code: "not-home" });
  await commitOn(box.client(device.token), device, "files");
  await seal(box);
  await box.administration.seed.send(unwatched);
  await commitOn(device.client, device, "files");
  const here = await datacentre.gateway.vault(device.vault);
  const sequences = here.catalog.items().map((item) => [item.device === device.id, item.sequence]);
  expect(sequences.sort()).toEqual([
    [false, 2],
    [true, 2],
  ]);
});

test("a box for two accounts has the vaults of both on its manifest, and gives both back", async () => {
  const site = await makeSite();
  const { datacentre, device, scratch } = site;
  const second = await datacentre.device(await datacentre.account("beta"), "shop");
  const box = await makeBox(datacentre, join(scratch, "box"), ["acme", "beta"]);
  onTestFinished(() => box.close());
  for (const each of [device, second]) await commitOn(box.client(each.token), each, "files");
  expect(await seal(box)).toMatchObject({ snapshots: 2, chunks: 6 });
  await box.administration.seed.send(unwatched);
  const { boxes } = await datacentre.administration.seed.status();
  expect(boxes).toMatchObject([{ accounts: ["acme", "beta"], promisedChunks: 6, pendingSnapshots: 2 }]);
  for (const each of [device, second]) await commitOn(each.client, each, "files");
  // Nothing of the one is promised to the other.
  const vault = await datacentre.gateway.vault(second.vault);
  expect(vault.boxes.list()).toMatchObject([{ box: 1, chunks: 3 }]);
});
