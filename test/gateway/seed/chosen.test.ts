// Boxes for chosen devices, and for several accounts.

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { newAccount } from "../gatewayFixture.ts";
import { boxOf, commitOn, makeSite, prepareRequest, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

test("a box for one device of an account knows that one alone, and the others go on at the datacentre", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const other = await datacentre.device(device.account, "warehouse");
  await commitOn(other.client, other, "files");
  const box = await boxOf(site, "box", ["acme"], { devices: ["front-desk"] });
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
  const { datacentre, device } = site;
  const second = await datacentre.device(await datacentre.account("beta"), "shop");
  const box = await boxOf(site, "box", ["acme", "beta"]);
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

test("accounts, vaults and passwords are made at the datacentre: a box could not bring them home", async () => {
  const box = await boxOf(await makeSite());
  const { request } = newAccount("beta");
  const { administration } = box;
  const { kdf, l, keysDocument } = request;
  for (const refused of [
    administration.addAccount(request),
    administration.createVault("acme", request),
    administration.changePassword("acme", { kdf, l, keysDocuments: [keysDocument] }),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: "forbidden" });
  }
  expect(box.gateway.catalog.accounts.list().map(({ name }) => name)).toEqual(["acme"]);
  expect(box.gateway.catalog.vaults.list()).toHaveLength(1);
});

test("what is in open packs is on board: a look before the seal says what the seal will read", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  await commitOn(box.client(site.device.token), site.device, "files", [randomBytes(20_000)]);
  const { seed } = box.administration;
  const planned = await seed.seal({ by: "tester", dryRun: true }, unwatched);
  const { onBoard } = await seed.status();
  expect(onBoard).toMatchObject({ packs: 2, packBytes: planned.packBytes, snapshots: 1, chunks: 2 });
  const sealed = await seal(box);
  expect(planned).toMatchObject({ packs: 2, snapshots: 1, chunks: 2 });
  // Without trailers and footers, which they get when they are closed.
  expect(planned.packBytes).toBeGreaterThan(20_000);
  expect(sealed.packBytes - planned.packBytes).toBeGreaterThan(0);
  expect(sealed.packBytes - planned.packBytes).toBeLessThan(1000);
});

test("a box that goes on for other devices than it was begun for gives the first ones back", async () => {
  const { datacentre, device, scratch } = await makeSite();
  const other = await datacentre.device(await datacentre.account("beta"), "shop");
  const { prepare } = datacentre.administration.seed;
  const { homes, catalog } = datacentre.gateway;
  const directory = join(scratch, "box");
  await prepare(prepareRequest(directory, ["acme"]));
  // Killed before the row, which says that it is whole: it stays what it is.
  catalog.boxes.update(1, (row) => ({ ...row, state: "preparing" }));
  await expect(prepare(prepareRequest(directory, ["beta"]))).rejects.toMatchObject({ code: "exists" });
  // Killed before the box was whole.
  rmSync(join(directory, "gateway.json"));
  expect((await prepare(prepareRequest(directory, ["beta"]))).box).toMatchObject({ number: 1 });
  expect([homes.isHere(device.account.id, device.id), homes.isHere(other.account.id, other.id)]).toEqual([
    true,
    false,
  ]);
});

test("an address that several boxes had stands for the newest of them", async () => {
  const { datacentre, scratch } = await makeSite();
  const { seed, imports } = datacentre.administration;
  for (const name of ["first", "second"]) await seed.prepare(prepareRequest(join(scratch, name), ["acme"]));
  const request = { sources: ["https://127.0.0.1:9"], finish: false, dryRun: true };
  for (const [number, told] of [
    [undefined, "the manifest of box 2"],
    [1, "the manifest of box 1"],
  ] as const) {
    const asked = number === undefined ? request : { ...request, box: number };
    await expect(imports.run(asked, unwatched)).rejects.toMatchObject({
      message: expect.stringContaining(told) as string,
    });
  }
});
