// kill -9 at every file of a box: while it is prepared, while it is sealed, while its manifest is taken in.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeBundle } from "../../../gateway/seed/seal/bundle.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { boxKeyAt, commitOn, OpenBox, prepareRequest, unwatched } from "./boxFixture.ts";
import { type Action, Dying, deathAt } from "./dying.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-box-kill-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs it until it dies at its n-th rename; true when it came to its end before. */
async function dies(
  at: number,
  action: Action,
  data: string,
  argument: string,
  boxKey?: Buffer,
): Promise<boolean> {
  const told = { argument, death: deathAt(at), ...(boxKey && { boxKey }) };
  const { status, killed, stderr } = await new Dying(action, data, told).ended;
  expect({ ended: status === 0 || killed, stderr }).toEqual({ ended: true, stderr: "" });
  return killed;
}

test("a box comes about, is sealed and promised, however often any of it is killed", {
  timeout: 240_000,
}, async () => {
  const datacentre = await GatewayFixture.create({}, join(scratch, "datacentre"));
  const device = await datacentre.device(await datacentre.account("acme"), "laptop");
  const first = await commitOn(device.client, device, "files");
  await datacentre.stop();
  const directory = join(scratch, "box");
  let kills = 0;
  let all = 0;
  // Each run goes on with what the one before left, and gets further.
  for (let at = 1; at < 40; at += 2) {
    if (!(await dies(at, "prepare", datacentre.path, directory))) break;
    kills++;
    expect(existsSync(join(directory, "catalog")) && !existsSync(join(directory, "box.json"))).toBe(false);
  }
  expect(kills).toBeGreaterThanOrEqual(4);
  all += kills;
  await datacentre.start();
  const { seed } = datacentre.administration;
  // The last run came to its end, or died behind gateway.json: a whole box either way.
  const again = seed.prepare(prepareRequest(directory, ["acme"]));
  await expect(again).rejects.toMatchObject({ code: "exists" });
  const rows = datacentre.gateway.catalog.boxes.list();
  expect(rows.at(-1)).toMatchObject({ state: expect.stringMatching(/^prepar/) as string });
  const boxKey = await boxKeyAt(datacentre.gateway, directory);
  let box = await OpenBox.open(directory, boxKey);
  expect(box.gateway.catalog.homes.list()).toHaveLength(1);
  const client = box.client(device.token);
  for (let n = 0; n < 3; n++) await commitOn(client, device, "files");
  await box.close();
  await datacentre.stop();

  kills = 0;
  for (let at = 1; at < 40; at += 2) {
    if (!(await dies(at, "seal", directory, "", boxKey))) break;
    kills++;
  }
  expect(kills).toBeGreaterThanOrEqual(4);
  all += kills;
  box = await OpenBox.open(directory, boxKey);
  const report = await box.administration.seed.seal({ by: "tester", dryRun: false }, unwatched);
  expect(report).toMatchObject({ seal: 1, already: true, snapshots: 3, damaged: [] });
  expect((await box.administration.seed.custody()).entries.at(-1)).toMatchObject({ event: "sealed" });
  await expect(commitOn(box.client(device.token), device, "files")).rejects.toMatchObject({
    code: "not-home",
  });
  const file = join(scratch, "box.hfb");
  await writeBundle(directory, file);
  await box.close();

  kills = 0;
  for (let at = 1; at < 60; at += 2) {
    if (!(await dies(at, "promise", datacentre.path, file))) break;
    kills++;
  }
  expect(kills).toBeGreaterThanOrEqual(3);
  console.log(`killed ${all + kills} times`);
  await datacentre.start();
  expect(await datacentre.administration.seed.promise(file, unwatched)).toEqual({ accepted: null });
  const status = await datacentre.administration.seed.status(report.box);
  expect(status.boxes).toMatchObject([
    { state: "sealed", seal: 1, code: report.code, promisedChunks: 9, pendingSnapshots: 3 },
  ]);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.catalog.items()).toMatchObject([{ sequence: 4 }]);
  expect(vault.catalog.snapshots()).toHaveLength(4);
  expect(vault.catalog.snapshot(first.snapshot)).toBeDefined();
  const again2 = await commitOn(datacentre.client(device.token), device, "files");
  expect(vault.catalog.items()).toMatchObject([{ sequence: 5, head: again2.snapshot }]);
  expect(readFileSync(file).length).toBeGreaterThan(1000);
  await datacentre.stop();
});
