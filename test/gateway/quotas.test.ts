// Quotas of accounts on a real gateway: what counts, what is refused, and that uploads side by side do not pass one together.

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AccountRow } from "../../gateway/admin/operations.ts";
import { parseAccount } from "../../gateway/replica/gatewayState/partRows.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { noise } from "../agent/backup/backupFixture.ts";
import { dataRecord, GatewayFixture, type TestAccount, type TestDevice } from "./gatewayFixture.ts";
import { Site } from "./seed/seedSites.ts";

const MiB = 2 ** 20;
let fixture: GatewayFixture;
let account: TestAccount;
let device: TestDevice;

beforeEach(async () => {
  fixture = await GatewayFixture.create({ packBytesTarget: 300_000 });
  account = await fixture.account("anna");
  device = await fixture.device(account, "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

const setQuota = (bytes: number | null, devices: number | null = null): Promise<void> =>
  fixture.administration.setQuota("anna", { bytes, devices });

async function row(): Promise<AccountRow> {
  const rows = await fixture.administration.accounts();
  return rows.find(({ name }) => name === "anna") as AccountRow;
}

/** What the files of all packs have. */
function packBytesOnDisk(): number {
  const folder = fixture.gateway.vaultDirectory(account.vault);
  return ["packs", "open"]
    .flatMap((name) => readdirSync(join(folder, name), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

async function session(): Promise<string> {
  const item = await device.client.putItem("files");
  const asked = { vault: device.vault, item: item.id, highestSequence: 0 };
  return (await device.client.startSession(asked)).session;
}

/** How many bodies of this many bytes were taken, of so many sent at once. */
async function upload(bodies: number, bytes: number): Promise<{ taken: number; codes: Set<string> }> {
  const open = await session();
  const codes = new Set<string>();
  const sent = Array.from({ length: bodies }, async () => {
    try {
      await device.client.records(open, [dataRecord(device, randomBytes(bytes)).record]);
      return 1;
    } catch (error) {
      codes.add((error as { code: string }).code);
      return 0;
    }
  });
  const taken = (await Promise.all(sent)).reduce<number>((sum, one) => sum + one, 0);
  return { taken, codes };
}

test("an agent is refused cleanly, what it uploaded counts, and with a larger quota it goes on", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-quota-")));
  const source = join(folder, "source");
  mkdirSync(source);
  for (let n = 0; n < 30; n++) writeFileSync(join(source, `f${n}`), noise(200_000, n + 1));
  const site = new Site(fixture, device);
  try {
    await setQuota(2 * MiB);
    await expect(site.backup(source, join(folder, "cache"))).rejects.toMatchObject({
      code: ErrorCode.quotaExceeded,
      detail: { quotaBytes: 2 * MiB },
    });
    const stored = (await row()).storedBytes;
    expect(stored).toBeLessThanOrEqual(2 * MiB);
    expect(fixture.gateway.alerts.list()).toMatchObject([{ kind: "quota", subject: "anna" }]);
    expect(await device.client.snapshots()).toEqual([]);
    await setQuota(20 * MiB);
    expect(fixture.gateway.alerts.list()).toEqual([]);
    const done = await site.backup(source, join(folder, "cache"));
    expect(done.sentBytes + stored).toBeLessThan(7 * MiB);
    expect(await site.restore(join(folder, "back"))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

test("uploads side by side stay within it together; what is not of the account is not touched", async () => {
  await setQuota(1_000_000);
  const { taken, codes } = await upload(8, 300_000);
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThanOrEqual(3);
  expect([...codes]).toEqual([ErrorCode.quotaExceeded]);
  expect((await row()).storedBytes).toBeLessThanOrEqual(1_000_000);
  // What was refused is not counted on: there is room for a small one still.
  expect((await upload(1, 20_000)).taken).toBe(1);
  device = await fixture.device(await fixture.account("bert"), "desk");
  expect((await upload(4, 300_000)).taken).toBe(4);
});

test("what is counted is what the packs have, while they fill, are closed, and after a restart", async () => {
  await upload(2, 100_000);
  const vault = await fixture.gateway.vault(device.vault);
  expect((await row()).storedBytes, "in an open pack").toBe(packBytesOnDisk());
  await upload(5, 200_000);
  await vault.store.closeOpenPacks();
  expect((await row()).storedBytes).toBe(packBytesOnDisk());
  const stored = (await row()).storedBytes;
  await setQuota(stored + 1000);
  await fixture.stop();
  await fixture.start();
  expect(await row()).toMatchObject({ storedBytes: stored, quota: { bytes: stored + 1000, devices: null } });
  device = { ...device, client: fixture.client(device.token) };
  expect((await upload(1, 50_000)).codes).toEqual(new Set([ErrorCode.quotaExceeded]));
  await setQuota(null);
  expect((await upload(1, 50_000)).taken).toBe(1);
});

test("devices: one more is refused until another is revoked", async () => {
  await setQuota(null, 2);
  await fixture.device(account, "second");
  await expect(fixture.device(account, "third")).rejects.toMatchObject({ code: ErrorCode.quotaExceeded });
  await fixture.administration.revokeDevice("anna", "second");
  await fixture.device(account, "third");
});

test("a replica's catalog has it", async () => {
  await setQuota(5, 7);
  const kept = fixture.gateway.catalog.accounts.get(account.id);
  expect(parseAccount(JSON.parse(JSON.stringify(kept)))).toEqual(kept);
  expect(kept?.quota).toEqual({ bytes: 5, devices: 7 });
});
