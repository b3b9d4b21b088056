// What removed accounts left in replicas goes when asked for: keys first, nothing of others, and what was stopped goes on.

import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReplicaAdministration } from "../../../gateway/admin/replicaAdministration.ts";
import type { Replica } from "../../../gateway/catalog/replicas.ts";
import type { EraseProgress } from "../../../gateway/removal/eraseRemains.ts";
import { markerName } from "../../../gateway/replica/folder/marker.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { ReplicatedGateway } from "../replica/job/replicatedGateway.ts";

let site: ReplicatedGateway;
let replica: Replica;
let annas: string;
let bens: string;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
  replica = await site.addReplica("usb");
  annas = site.vaultId;
  await site.backUp(20);
  const annasDevice = site.device;
  site.device = await site.fixture.device(await site.fixture.account("ben"), "desktop");
  bens = site.vaultId;
  await site.backUp(20);
  await site.run(replica);
  site.device = annasDevice;
  await site.run(replica);
});
afterEach(() => site.remove());

async function erase(dryRun = false, stopAfterObjects = Number.POSITIVE_INFINITY) {
  const stop = new AbortController();
  const onProgress = ({ objects }: EraseProgress): void => {
    if (objects >= stopAfterObjects) stop.abort();
  };
  const operations = new ReplicaAdministration(site.fixture.gateway);
  return (await operations.erase({ name: "usb", dryRun }, { onProgress, signal: stop.signal })).vaults;
}

/** Files of a vault in the replica, relative to the vault's folder. */
function filesOf(vault: string): string[] {
  try {
    const all = readdirSync(join(site.folder("usb"), "vaults", vault), {
      recursive: true,
      withFileTypes: true,
    });
    return all.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  } catch {
    return [];
  }
}

test("all of a removed account goes, and nothing of those that are there", async () => {
  const [hers, his] = [filesOf(annas).length, filesOf(bens).length];
  expect(await erase()).toEqual([]);
  expect([filesOf(annas).length, filesOf(bens).length]).toEqual([hers, his]);
  await site.fixture.administration.removals.remove("anna");
  const planned = await erase(true);
  expect(planned).toMatchObject([{ account: "anna", vault: annas, objects: hers, left: hers }]);
  expect(planned[0]?.keys).toBeGreaterThan(0);
  expect(filesOf(annas)).toHaveLength(hers);
  const erased = await erase();
  expect(erased).toEqual([{ ...planned[0], left: 0 }]);
  expect(filesOf(annas)).toEqual([]);
  expect(filesOf(bens)).toHaveLength(his);
  expect(await erase()).toEqual([]);
  const jobs = site.fixture.gateway.jobs.list({ kind: "replica-erase", failed: false, limit: 10 });
  expect(jobs.map(({ result, figures }) => [result, figures.objects])).toEqual([
    ["done", 0],
    ["done", hers],
    ["done", 0],
  ]);
});

test("what is stopped has lost its keys, and goes on when asked again", async () => {
  await site.fixture.administration.removals.remove("anna");
  const all = filesOf(annas).length;
  await expect(erase(false, 1)).rejects.toMatchObject({ code: ErrorCode.cancelled });
  const left = filesOf(annas);
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThan(all);
  expect(left.filter((path) => path.includes(`${annas}/keys/`))).toEqual([]);
  expect(await erase()).toMatchObject([{ objects: left.length, keys: 0, left: 0 }]);
  expect(filesOf(annas)).toEqual([]);
});

test("a replica that is not there says so, and nothing is said to be gone", async () => {
  await site.fixture.administration.removals.remove("anna");
  await rm(join(site.folder("usb"), markerName));
  await expect(erase()).rejects.toMatchObject({ code: ErrorCode.replicaUnreachable });
});
