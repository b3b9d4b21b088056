// Real agents at a real gateway whose vault's keys are rotated under them: a backup that is under way, another device's, a view that was open
// before, and a device that was revoked.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runBackup } from "../../../agent/backup/backup.ts";
import type { BackupOutcome, BackupSession } from "../../../agent/backup/request.ts";
import { enroll } from "../../../agent/enroll/enroll.ts";
import { AccountCatalog, FixedKeyring } from "../../../agent/session/accountCatalog.ts";
import { GatewayBackupSession } from "../../../agent/session/backupSession.ts";
import { AgentConnection } from "../../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../../agent/session/recordSource.ts";
import { RenewingRecordSource } from "../../../agent/session/renewingSource.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { readEnrollment } from "../../../agent/state/enrollment.ts";
import { addEscrow } from "../../../appliance/account/escrow.ts";
import { makeAccount } from "../../../appliance/account/ownerKeys.ts";
import { rotateVault, vaultsNamed } from "../../../appliance/account/rotation.ts";
import { OpenPool } from "../../../fs/view/openPool.ts";
import { createCaches } from "../../../fs/view/recordOpener.ts";
import { VaultView } from "../../../fs/view/vaultView.ts";
import type { ViewNode } from "../../../fs/view/view.ts";
import { generateKeyPair, publicKeyOf } from "../../../vault/keys/box.ts";
import { addDeviceWrap, openWithDevice } from "../../../vault/keys/keysDocument.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { makeDeviceWrap } from "../../../vault/keys/wraps.ts";
import { recordEpoch } from "../../../vault/record.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { GatewayFixture } from "../../gateway/gatewayFixture.ts";
import { Site } from "../../gateway/seed/seedSites.ts";
import { noise } from "../backup/backupFixture.ts";

const password = "correct horse battery staple";
const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-rotation-")));
const source = join(folder, "source");
let fixture: GatewayFixture;
let vault: string;
const connections: AgentConnection[] = [];

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  const { request } = await makeAccount({ name: "anna", password, iterations: 210_000, now: new Date() });
  ({ vault } = await fixture.administration.addAccount(request));
  mkdirSync(source);
  for (let n = 0; n < 30; n++) writeFileSync(join(source, `f${n}`), noise(40_000 + n, n + 1));
  writeFileSync(join(source, "large"), noise(3_000_000, 77));
});
afterAll(async () => {
  for (const connection of connections) connection.close();
  await fixture.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function enrolled(deviceName: string): Promise<string> {
  const state = join(folder, deviceName);
  const { url } = fixture.listening;
  await enroll({
    ...{ url, fingerprint: fixture.fingerprint, account: "anna", password, deviceName, state },
    ...{ isolated: false, appendOnly: false, replace: false, now: new Date() },
  });
  return state;
}

function connected(state: string): AgentConnection {
  const connection = new AgentConnection(state);
  connections.push(connection);
  return connection;
}

async function rotate(): Promise<number> {
  const [main] = await vaultsNamed(fixture.administration, "anna");
  return (await rotateVault(fixture.administration, "anna", main!, { password, acceptUnproven: false }))
    .epoch;
}

/** One run. `before` is called before the first records leave. */
async function backup(
  connection: AgentConnection,
  item: string,
  options: { before?: () => Promise<unknown>; readBackOneIn?: number } = {},
): Promise<{ outcome: BackupOutcome; warnings: string[]; epochs: number[] }> {
  const { device } = connection.enrollment;
  const { signal } = new AbortController();
  const session = await GatewayBackupSession.start(connection, item, signal);
  let { before } = options;
  const epochs: number[] = [];
  const watched: BackupSession = new Proxy(session, {
    get(target, name) {
      if (name !== "records") {
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      }
      return async (records: readonly Uint8Array[]) => {
        const first = before;
        before = undefined;
        await first?.();
        epochs.push(...records.map((record) => recordEpoch(record) as number));
        return await target.records(records);
      };
    },
  });
  const warnings: string[] = [];
  const outcome = await runBackup(
    {
      ...{ paths: resolveTopPaths([source]), item, rules: {}, rescan: false, reference: false },
      ...{ oneFileSystem: false, excludeCaches: false },
      ...{ chunker: "fastcdc-1", limits: noLimits },
    },
    {
      ...{ session: watched, keys: await connection.keys(vault, "write"), device, signal },
      ...{ agentVersion: "test", host: "host", cachePath: join(folder, `${device.name}.${item}.pages`) },
      readBackOneIn: options.readBackOneIn,
      nowMs: () => Date.now() + 10_000,
      warn: (_path, what) => void warnings.push(what),
      progress: () => undefined,
    },
  );
  return { outcome, warnings, epochs };
}

const storedEpochs = async (): Promise<Set<number>> => {
  const device = fixture.gateway.catalog.devices.list()[0]!;
  const site = new Site(fixture, { ...device, token: "", client: fixture.client(), account: null as never });
  return new Set((await site.records()).map(({ record }) => recordEpoch(record) as number));
};

async function nodeOf(view: VaultView, path: string): Promise<ViewNode> {
  let node = view.root;
  for (const name of path.split("/")) {
    let next = await view.lookup(node, Buffer.from(name));
    if (next?.attributes.kind === "symlink") next = await view.lookup(node, await view.readlink(next));
    if (next === undefined) throw new Error(`no ${name} on the way to ${path}`);
    node = next;
  }
  return node;
}

test("backups, views and a thief, before, while and after keys are rotated", {
  timeout: 120_000,
}, async () => {
  const [laptop, desktop] = [connected(await enrolled("laptop")), connected(await enrolled("desktop"))];
  const stolen = readEnrollment(await enrolled("stolen"));
  // A view over the laptop's connection, which lives through all of it.
  const keys = await laptop.allKeys();
  const pool = new OpenPool({ threadCount: 1 });
  const view = new VaultView({
    source: new RenewingRecordSource(new GatewayRecordSource(laptop.client), laptop),
    catalog: new AccountCatalog(laptop),
    keyring: new FixedKeyring(keys),
    caches: createCaches(),
    pool,
  });
  const read = async (item: string, name: string): Promise<Buffer> => {
    const node = await nodeOf(view, `anna/desktop/${item}/latest${source}/${name}`);
    return Buffer.from(await view.read(node, 0n, Number(node.attributes.size)));
  };

  // Rotated when the first records are sealed and about to leave.
  const first = await backup(desktop, "files", { before: rotate });
  expect(first.warnings).toEqual([]);
  expect(first.epochs[0]).toBe(1);
  expect(await storedEpochs()).toEqual(new Set([2]));
  expect(await read("files", "large")).toEqual(noise(3_000_000, 77));

  // The laptop has the keys of before as well, and reads back what the desktop sealed in the new epoch: that is not wrong.
  const second = connected(join(folder, "laptop"));
  await second.keys(vault, "write");
  await rotate();
  writeFileSync(join(source, "new"), noise(50_000, 500));
  await backup(desktop, "files");
  const shared = await backup(second, "files", { readBackOneIn: 1 });
  expect(shared.warnings).toEqual([]);
  expect(shared.outcome.readBackBytes).toBeGreaterThan(3_000_000);
  // Only the bundle that the new file is in now, and pages: a fifth of what is there.
  expect(shared.outcome.sentBytes).toBeLessThan(1_000_000);
  expect(await storedEpochs()).toEqual(new Set([2, 3]));
  // Once the view has heard of it.
  const heard = expect.poll(() => read("files", "new").catch(() => undefined), { timeout: 30_000 });
  await heard.toEqual(noise(50_000, 500));

  // Nothing changed but the epoch, and times of folders on the way: nothing is sent again.
  const old = (await fixture.administration.keysDocuments("anna"))[0]!;
  await fixture.administration.revokeDevice("anna", "stolen");
  expect(await rotate()).toBe(4);
  const third = await backup(connected(join(folder, "desktop")), "files");
  expect(third.outcome.counts.filesRead).toBe(0);
  expect(third.outcome.sentBytes).toBeLessThan(2000);

  // A thief with the state folder, and with all that the gateway has: the keys documents of before too.
  const privateKey = Buffer.from(stolen.privateKey, "base64");
  const thief = (document: typeof old): VaultKeys =>
    new VaultKeys(openWithDevice(document, stolen.device.id, privateKey, publicKeyOf(privateKey)).secrets);
  const newest = (await fixture.administration.keysDocuments("anna"))[0]!;
  const wrong = expect.objectContaining({ code: "key-wrong" });
  expect(() => thief(newest)).toThrow(wrong);
  const open = await fixture.gateway.vault(vault);
  const objectOf = (id: string) => open.snapshotObject(open.catalog.snapshot(id)!);
  const [before, after] = [await objectOf(first.outcome.snapshot), await objectOf(third.outcome.snapshot)];
  expect(openSnapshot(thief(old), before).body.item).toBe("files");
  expect(() => openSnapshot(thief(old), after)).toThrow(wrong);
  const owners = (await connected(join(folder, "laptop")).allKeys()).get(vault)!;
  expect(openSnapshot(owners, after).header.keyEpoch).toBe(4);

  view.close();
  await pool.close();
});

test("a device that nobody with the keys let in gets no new ones, unless its owner says so", async () => {
  const [main] = await vaultsNamed(fixture.administration, "anna");
  const { gateway, administration } = fixture;
  const open = await gateway.vault(vault);
  // What a stolen box, or who writes the gateway's disk, can do: a row, and a wrap of nothing for a key of theirs.
  const thief = generateKeyPair();
  const id = "ef".repeat(16);
  const publicKey = thief.publicKey.toString("base64");
  const { proof: _none, ...wrap } = makeDeviceWrap(open.keys, Buffer.alloc(16), id, thief.publicKey);
  await open.replaceKeys((keys) => addDeviceWrap(keys, wrap));
  const row = gateway.catalog.devices.list().find(({ name }) => name === "laptop")!;
  gateway.catalog.devices.add({ ...row, id, name: "printer", publicKey, tokenHash: "12".repeat(32) });
  const before = open.keys;
  const options = { password, acceptUnproven: false };
  await expect(rotateVault(administration, "anna", main!, options)).rejects.toMatchObject({
    code: "key-wrong",
    message: expect.stringContaining("device printer"),
  });
  expect(open.keys).toEqual(before);
  // A proof of another place or key is none.
  const other = makeDeviceWrap({ ...open.keys, epoch: 1 }, Buffer.alloc(16), id, thief.publicKey);
  await open.replaceKeys((keys) => addDeviceWrap(keys, other));
  await expect(rotateVault(administration, "anna", main!, options)).rejects.toMatchObject({
    code: "key-wrong",
  });
  const accepted = await rotateVault(administration, "anna", main!, { password, acceptUnproven: true });
  expect(accepted.devices).toContain("printer");
  await administration.revokeDevice("anna", "printer");
  expect((await rotateVault(administration, "anna", main!, options)).devices).not.toContain("printer");
});

test("an escrow key is told once when it comes and once when it goes", async () => {
  const state = await enrolled("server");
  const news = async () => {
    const connection = connected(state);
    await connection.keys(vault, "write");
    return connection.escrowNews(vault);
  };
  expect(await news()).toEqual({ added: [], removed: [] });
  const holder = {
    ...{ label: "legal", since: "2026-11-26T09:00:00.000Z" },
    public: generateKeyPair().publicKey.toString("base64"),
  };
  const { administration } = fixture;
  expect(await addEscrow(administration, "anna", holder, async () => password)).toBe(1);
  expect(await news()).toEqual({ added: [holder], removed: [] });
  expect(await news()).toEqual({ added: [], removed: [] });
  const [main] = await vaultsNamed(administration, "anna");
  const options = { password, withoutEscrow: holder.public, acceptUnproven: false };
  await rotateVault(administration, "anna", main!, options);
  expect(await news()).toEqual({ added: [], removed: [holder] });
  expect(await news()).toEqual({ added: [], removed: [] });
});
