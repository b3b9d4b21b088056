// A gateway, exported to a folder, restored from it with the recovery key alone.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { type RestoreFromOptions, restoreFrom } from "../../../../gateway/replica/restore/restoreFrom.ts";
import { parseRecoveryKey } from "../../../../vault/keys/recoveryKey.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../../gatewayFixture.ts";
import { ExportMemory, exportReplica } from "./exportReplica.ts";

const replica = "cd".repeat(16);
let folder: string;
let url: string;
let old: GatewayFixture;
let store: ReplicaStore;
let memory: ExportMemory;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-restore-"));
  const place = join(folder, "replica");
  await markFolder(place);
  url = `file://${place}`;
  store = await openReplicaStore({ url, options: {}, conditionalPuts: true }, { now: () => new Date() });
  old = await GatewayFixture.create({}, join(folder, "old"));
  memory = new ExportMemory();
});

afterEach(async () => {
  await store.close();
  await old.remove();
  await rm(folder, { recursive: true, force: true });
});

function restore(more: Partial<RestoreFromOptions> = {}) {
  return restoreFrom({
    url,
    options: {},
    recoveryKey: parseRecoveryKey("gateway", old.recoveryKey),
    data: join(folder, "new"),
    listen: undefined,
    wanted: "newest",
    keepRemote: false,
    allowDamaged: false,
    dryRun: false,
    now: () => new Date(),
    signal: new AbortController().signal,
    onPlan: () => undefined,
    onProgress: () => undefined,
    ...more,
  });
}

test("an empty gateway comes back", async () => {
  await exportReplica(old.gateway, store, replica, memory);
  const report = await restore();
  expect(report.vaults).toEqual([]);
  const identity = (path: string) => JSON.parse(readFileSync(join(folder, path, "gateway.json"), "utf8"));
  expect(identity("new")).toEqual(identity("old"));
});
