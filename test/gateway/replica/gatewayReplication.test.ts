// The gateway's own state goes to a replica by itself: after changes of the catalog, once for many of them, and not at all without.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { markFolder } from "../../../gateway/replica/folder/marker.ts";
import { exportGatewayPart, parseGatewayPart } from "../../../gateway/replica/gatewayState/gatewayPart.ts";
import { GatewayReplication } from "../../../gateway/replica/gatewayState/gatewayReplication.ts";
import { gatewayFolder, rootKey } from "../../../gateway/replica/keys.ts";
import { openReplicaStore } from "../../../gateway/replica/openStore.ts";
import { GatewayFixture } from "../gatewayFixture.ts";

const replica = "cd".repeat(16);
let scratch: string;
let place: string;
let fixture: GatewayFixture;
let replication: GatewayReplication;
let opened = 0;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "holdfast-state-"));
  place = join(scratch, "replica");
  await markFolder(place);
  fixture = await GatewayFixture.create({}, join(scratch, "data"));
  opened = 0;
  replication = new GatewayReplication({
    gateway: fixture.gateway,
    openStore: (row) => {
      opened++;
      return openReplicaStore(row, { now: () => new Date() });
    },
    monotonicMs: () => performance.now(),
    pauses: { firstMs: 20, maxMs: 50 },
    gatherMs: 50,
  });
});
afterEach(async () => {
  await replication.close();
  await fixture.remove();
  await rm(scratch, { recursive: true, force: true });
});

function addReplica(schedule = ""): void {
  fixture.gateway.catalog.replicas.add({
    ...{ id: replica, url: `file://${place}`, name: "disk", options: {}, conditionalPuts: true, notes: [] },
    ...{ writer: "12".repeat(16), bandwidth: "", schedule, parallel: 2, created: new Date().toISOString() },
  });
}

const there = (generation: number): boolean => existsSync(join(place, rootKey(gatewayFolder, generation)));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

test("a replica that is added gets the state; each change of the catalog after that is one more generation", async () => {
  replication.start();
  addReplica();
  await until(() => there(1));
  const account = await fixture.account("anna");
  await until(() => there(2));
  for (const name of ["one", "two", "three"]) await fixture.device(account, name);
  await until(() => there(3));
  const { signal } = new AbortController();
  const run = () => replication.run(replica, { takeOver: false, signal, onProgress: () => undefined });
  // What changed while a run was under way is written by the next.
  await run();
  const { generation } = await run();
  // Nothing changed: nothing is written, and the newest root is the same.
  expect(await run()).toMatchObject({ outcome: "done", generation });
});

test("a vault whose first root was meant and never answered is nothing seen, and the state can be read", async () => {
  const { catalog, dataDir } = fixture.gateway;
  addReplica();
  const { vault } = await fixture.device(await fixture.account("anna"), "laptop");
  catalog.replicas.intend(replica, vault, "ab".repeat(16));
  const { identity } = dataDir;
  const part = parseGatewayPart(exportGatewayPart(identity, catalog, replica, undefined), identity.id);
  expect(part.vaults).toMatchObject([{ id: vault, seen: null }]);
});

test("settings that changed are a generation too", async () => {
  replication.start();
  addReplica();
  await until(() => there(1));
  const config = join(fixture.path, "config.toml");
  await writeFile(config, (await readFile(config, "utf8")).replace(/^name = .*$/m, 'name = "other"'));
  await fixture.gateway.reload();
  // This one is beside the gateway's own, which would be told.
  replication.changed();
  await until(() => there(2));
});

test("an outage is waited for", async () => {
  replication.start();
  await rename(place, `${place}.away`);
  addReplica();
  await until(() => opened > 2);
  let status = await replication.status(replica);
  for (; status.state !== "waiting"; status = await replication.status(replica)) await sleep(5);
  expect(status).toMatchObject({ failure: { code: "replica-unreachable" }, nextTry: expect.any(String) });
  await rename(`${place}.away`, place);
  await until(() => there(1));
  for (; status.state !== "idle"; status = await replication.status(replica)) await sleep(5);
  expect(status.failure).toBeNull();
});

test("a replica that is there at times only is written to behind a run of vaults, or when it is told to", async () => {
  addReplica("only 02:00");
  replication.start();
  // The first state of all does not wait.
  await until(() => there(1));
  await fixture.account("anna");
  await sleep(300);
  expect(there(2)).toBe(false);
  const [vault] = fixture.gateway.catalog.vaults.list();
  fixture.gateway.catalog.replicas.note(replica, vault!.id, {
    generation: 1,
    root: "ab".repeat(32),
    fence: 1,
  });
  await until(() => there(2));
});

test("without replicas, and when nothing changes, no store is opened", async () => {
  replication.start();
  await fixture.account("anna");
  await sleep(200);
  expect(opened).toBe(0);
});
