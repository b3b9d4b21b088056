// Dry runs of the seeding commands: what they measure and say, and that they change nothing.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { writeBundle } from "../../../gateway/seed/seal/bundle.ts";
import { contentOf } from "./boxDisks.ts";
import { boxOf, commitOn, makeSite, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

test("a manifest in a file is read and compared, and nothing of it is taken", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  for (const name of ["one", "two"]) await commitOn(box.client(site.device.token), site.device, name);
  const report = await seal(box);
  const file = join(site.scratch, "box-1.hfb");
  await writeBundle(box.gateway.dataDir.path, file);
  const { seed } = site.datacentre.administration;
  const before = contentOf(site.datacentre.path);
  const seen: { bytesDone: number; bytes: number }[] = [];
  const look = await seed.look(file, { ...unwatched, onProgress: (progress) => seen.push(progress) });
  const { packs, packBytes, chunks, snapshots } = report;
  expect(look).toMatchObject({ box: 1, seal: 1, already: false, packs, packBytes, chunks, snapshots });
  expect(seen.at(-1)).toEqual({ phase: "reading", bytesDone: look.listBytes, bytes: look.listBytes });
  expect(contentOf(site.datacentre.path)).toEqual(before);
  const whole = readFileSync(file);
  const wrong = Buffer.from(whole);
  wrong.writeUInt8(wrong.at(-1)! ^ 1, wrong.length - 1);
  writeFileSync(file, wrong);
  await expect(seed.look(file, unwatched)).rejects.toMatchObject({ code: "corrupt" });
  writeFileSync(file, whole.subarray(0, -1));
  await expect(seed.look(file, unwatched)).rejects.toMatchObject({ code: "truncated" });
  writeFileSync(file, whole);
  await seed.promise(file, unwatched);
  expect(await seed.look(file, unwatched)).toMatchObject({ already: true });
});

test("packs that are read to know how fast they are; what a seal would still read", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  const { seed } = box.administration;
  expect(await seed.readRate()).toEqual({ sample: null });
  for (const name of ["one", "two"]) await commitOn(box.client(site.device.token), site.device, name);
  const asked = { by: "tester", dryRun: true };
  const planned = await seed.seal(asked, unwatched);
  expect(planned.leftBytes).toBe(planned.packBytes);
  const stop = new AbortController();
  const onProgress = (): void => stop.abort();
  await expect(seed.seal({ ...asked, dryRun: false }, { onProgress, signal: stop.signal })).rejects.toThrow();
  // What was read by then is not read again.
  const left = await seed.seal(asked, unwatched);
  expect(left.leftBytes).toBeLessThan(left.packBytes);
  const sealed = await seal(box);
  const { sample } = await seed.readRate();
  expect(sample?.packs).toBe(sealed.packs);
  expect(sample?.bytes).toBe(sealed.packBytes);
  expect(sample?.seconds).toBeGreaterThan(0);
  expect(await seed.seal(asked, unwatched)).toMatchObject({ already: true, leftBytes: 0 });
});

test("a move of homes says which devices it would send where", async () => {
  const { datacentre } = await makeSite();
  const { homes } = datacentre.administration;
  const here = { account: "acme", devices: [], to: null, force: false };
  expect(await homes.plan(here)).toMatchObject({ account: "acme", devices: [], vaults: 0 });
  const to = { url: datacentre.listening.url, fingerprint: datacentre.fingerprint };
  await expect(homes.plan({ ...here, to })).rejects.toMatchObject({ code: "forbidden" });
  const site = await makeSite();
  const elsewhere = { url: site.datacentre.listening.url, fingerprint: site.datacentre.fingerprint };
  const plan = await homes.plan({ ...here, to: elsewhere, force: true });
  expect(plan).toMatchObject({ devices: ["front-desk"], vaults: 1, home: { urls: [elsewhere.url] } });
  expect((await homes.show("acme"))[0]).toMatchObject({ generation: 0, isHere: true });
  await homes.move({ ...here, to: elsewhere, force: true });
  expect(await homes.plan(here)).toMatchObject({
    devices: ["front-desk"],
    home: datacentre.gateway.homes.here(),
  });
});
