// Removing an account: what goes, what stays, and what happens when it is stopped in between.

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Administration } from "../../gateway/administration.ts";
import { ReportRows } from "../../gateway/alerts/reports/reportRows.ts";
import { jsonCodec, openTable } from "../../gateway/index/table.ts";
import { removeAccount } from "../../gateway/removal/removeAccount.ts";
import { eraseKeys } from "../../gateway/removal/vaultFiles.ts";
import { listCopies, makeCopy } from "../../gateway/upgrade/copies.ts";
import { openDeletion } from "../../vault/deletion.ts";
import {
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestAccount,
  type TestDevice,
} from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let anna: TestAccount;
let ben: TestAccount;
let bens: TestDevice;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  anna = await fixture.account("anna");
  ben = await fixture.account("ben");
  for (const account of [anna, ben]) {
    const device = await fixture.device(account, "laptop");
    if (account === ben) bens = device;
    await commit(device);
  }
  await fixture.administration.addAppPassword("anna", { label: "phone" });
  // What else names her: a daily report, and a copy from before an upgrade.
  Object.assign(fixture.gateway.dataDir.settings, {
    alertSmtp: "smtp-plain://localhost",
    alertMailFrom: "a@b.example",
  });
  const report = { to: ["anna@acme.example"], rules: ["daily at 07:00"], timeZone: "UTC", textOnly: true };
  await fixture.administration.reports.set({ account: "anna", ...report });
  await makeCopy(fixture.path, { from: 1, to: 2, at: "2026-11-26T00:00:00Z" }, 0);
});
afterEach(async () => {
  await fixture.remove();
});

async function commit(device: TestDevice): Promise<void> {
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  const root = pageRecord(device, [], randomBytes(50_000).toString("hex"));
  await device.client.records(session, [root.record]);
  await device.client.commit(session, snapshotOf(device, item, 1, null, root.id).bytes);
}

const directory = (account: TestAccount) => join(fixture.path, "vaults", account.vault);

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
}

/** Nothing of anna is left but the statement; ben's is whole. */
async function expectGone(): Promise<void> {
  const { catalog } = fixture.gateway;
  expect(existsSync(directory(anna))).toBe(false);
  expect(catalog.accounts.byName("anna")).toBeUndefined();
  expect(catalog.accounts.get(anna.id)).toBeUndefined();
  expect(catalog.devices.list(anna.id)).toEqual([]);
  expect(catalog.vaults.list(anna.id)).toEqual([]);
  expect(catalog.appPasswords.list(anna.id)).toEqual([]);
  expect(catalog.removals.list()).toEqual([]);
  expect(new ReportRows(catalog.environment).list()).toEqual([]);
  expect(await listCopies(fixture.path)).toEqual([]);
  const stated = await fixture.administration.removals.list();
  expect(stated).toHaveLength(1);
  const statement = Buffer.from(stated[0]?.statement ?? "");
  const deletion = openDeletion(statement, fixture.gateway.peers.signer.publicKey);
  expect(deletion).toMatchObject({
    name: "anna",
    account: anna.id,
    devices: 1,
    appPasswords: 1,
    remains: [],
  });
  expect(deletion.vaults).toMatchObject([{ id: anna.vault, name: "main", snapshots: 1, packs: 1 }]);
  // One with the device's wrap, one without.
  expect(deletion.vaults[0]?.keys).toHaveLength(2);
  expect(deletion.vaults[0]?.bytes).toBeGreaterThan(50_000);
  await expect(fixture.client().login("anna", anna.l)).rejects.toMatchObject({ code: "auth-failed" });
  const client = fixture.client(bens.token);
  expect(await client.snapshots()).toHaveLength(1);
  expect(readdirSync(join(directory(ben), "keys"))).toHaveLength(2);
  const { token } = await fixture.client().login("ben", ben.l);
  expect((await fixture.client(token).me()).vaults).toHaveLength(1);
}

test("all of an account goes, and nothing of others; the name is free again", async () => {
  const plan = await fixture.administration.removals.plan("anna");
  expect(plan.vaults[0]).toMatchObject({ snapshots: 1, packs: 1 });
  expect(existsSync(directory(anna))).toBe(true);
  await fixture.administration.totp.begin("anna");
  await fixture.administration.removals.remove("anna");
  await expectGone();
  const pending = openTable(fixture.gateway.catalog.environment, "totp-pending", jsonCodec<object>());
  expect(pending.entries()).toEqual([]);
  await restart();
  await expectGone();
  const sealedKeys = readFileSync(join(fixture.path, "gateway", "sealed.json"));
  expect(sealedKeys.includes(anna.vault)).toBe(false);
  const again = await fixture.account("anna");
  await fixture.device(again, "laptop");
  await expect(fixture.administration.removals.plan("nobody")).rejects.toThrow("no account");
});

test("stopped behind any step, the next start goes on", async () => {
  const { gateway } = fixture;
  const plan = await fixture.administration.removals.plan("anna");
  const begin = (): void =>
    gateway.catalog.write(() => {
      gateway.catalog.removals.put(plan);
      gateway.catalog.accounts.update(anna.id, (row) => ({ ...row, disabled: true }));
    });
  begin();
  await restart();
  await expectGone();
});

test("stopped when the keys were gone", async () => {
  const { catalog } = fixture.gateway;
  const plan = await fixture.administration.removals.plan("anna");
  catalog.write(() => catalog.removals.put(plan));
  await fixture.gateway.closeVault(anna.vault);
  await eraseKeys(directory(anna));
  expect(readdirSync(join(directory(anna), "keys"))).toEqual([]);
  await restart();
  await expectGone();
});

test("stopped when the rows were gone", async () => {
  const { catalog } = fixture.gateway;
  const plan = await fixture.administration.removals.plan("anna");
  await fixture.gateway.closeVault(anna.vault);
  await eraseKeys(directory(anna));
  catalog.write(() => {
    catalog.removals.put(plan);
    catalog.vaults.remove(anna.vault);
    for (const { id } of catalog.appPasswords.list(anna.id)) catalog.appPasswords.remove(anna.id, id);
    catalog.devices.removeOf(anna.id);
    catalog.accounts.remove(anna.id);
  });
  await restart();
  await expectGone();
});

test("a running gateway and a box that is out keep it; replicas that have it are named", async () => {
  const { gateway } = fixture;
  const running = new Administration(gateway, () => "https://here");
  await expect(running.removals.remove("anna")).rejects.toMatchObject({ code: "busy" });
  gateway.catalog.boxes.add({
    ...{
      number: 3,
      id: "ab".repeat(16),
      kind: "seed",
      name: "box 3",
      state: "sealed",
      created: "2026-11-26T00:00:00.000Z",
    },
    ...{
      accounts: [{ account: anna.id, devices: null }],
      signer: "cd".repeat(32),
      tokenHash: "ef".repeat(32),
    },
    ...{ fingerprint: "SHA256:00", urls: [], seal: null },
  });
  await expect(fixture.administration.removals.remove("anna")).rejects.toThrow(
    "box 3 has account anna on board",
  );
  expect(existsSync(directory(anna))).toBe(true);
  const account = gateway.catalog.accounts.byName("ben");
  if (account === undefined) throw new Error("no ben");
  const added = await fixture.administration.replicas.add({
    ...{
      name: "usb",
      url: `file://${fixture.path}-replica`,
      options: {},
      bandwidth: "",
      schedule: "",
      parallel: 1,
    },
  });
  await fixture.administration.replicas.run(
    { name: "usb", takeOver: false },
    { onProgress: () => undefined, signal: new AbortController().signal },
  );
  await fixture.gateway.replication.close();
  const deletion = await removeAccount(gateway, account);
  expect(deletion.remains).toEqual([{ replica: "usb", url: added.url, vaults: [ben.vault] }]);
});
