// A box on two disks, whose content packs are on the second one alone, comes to its datacentre: from both disks, and over the network.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { boxOf, type Committed, commitOn, makeSite, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

test.each(["disks", "network"] as const)("a box on two disks, from its %s", async (way) => {
  const site = await makeSite();
  const { datacentre, device, scratch } = site;
  const box = await boxOf(site);
  const { seed, replicas, evict } = box.administration;
  const snapshots: Committed[] = [];
  for (let n = 0; n < 3; n++) snapshots.push(await commitOn(box.client(device.token), device, `item ${n}`));
  const disk = join(scratch, "disk-2");
  mkdirSync(disk);
  await seed.extend({ disk, by: "tester" });
  box.gateway.logger.level = "silent";
  await replicas.run({ name: "disk-2", takeOver: false }, unwatched);
  const { evictedPacks } = await evict({ keepBytes: 0, dryRun: false }, unwatched);
  expect(evictedPacks).toBeGreaterThan(0);
  await seal(box);
  await seed.send(unwatched);
  const { imports } = datacentre.administration;
  const take = (...sources: string[]) =>
    imports.run({ sources, box: 1, finish: false, dryRun: false }, unwatched);
  const directory = box.gateway.dataDir.path;
  if (way === "disks") {
    const first = await take(directory);
    expect(first).toMatchObject({ state: "importing", strays: [] });
    expect(first.left).toBeGreaterThanOrEqual(evictedPacks);
  }
  const report = await take(...(way === "disks" ? [directory, disk] : [box.listening.url]));
  expect(report).toMatchObject({
    state: "imported",
    left: 0,
    refused: 0,
    strays: [],
    snapshots: 3,
    whole: 3,
  });
  for (const { root, chunks } of snapshots) {
    const read = await device.client.readAll(device.vault, device.group, [root, ...chunks]);
    expect(read.map((found) => found?.state)).toEqual(["record", "record", "record"]);
  }
});
