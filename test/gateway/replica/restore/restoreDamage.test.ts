// Every kind of damage to a replica, met by a restore: it is named, and nothing is believed that is not proven.

import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { sealedContext } from "../../../../gateway/dataDir.ts";
import { exportGatewayPart } from "../../../../gateway/replica/gatewayState/gatewayPart.ts";
import { gatewayFolder, rootKey, vaultFolder } from "../../../../gateway/replica/keys.ts";
import type { RestoreFromOptions, RestoreReport } from "../../../../gateway/replica/restore/restoreFrom.ts";
import { bitAt } from "../../../../ingest/wire/bitmap.ts";
import { fromHex, toHex } from "../../../../vault/bytes.ts";
import { sealPublicBox } from "../../../../vault/keys/box.ts";
import { encodeRoot, gatewayRootKey, rootHash } from "../../../../vault/replica/root.ts";
import { gatewayCatalogKey, sealCatalog } from "../../../../vault/replica/sealedCatalog.ts";
import { type GatewayFixture, pageRecord, snapshotOf } from "../../gatewayFixture.ts";
import { RestoreSite, replica } from "./restoreSite.ts";

let site: RestoreSite;
let { old, device, place, chunks, pages, snapshots } = {} as RestoreSite;
let data: string;

beforeAll(async () => {
  site = await RestoreSite.create();
  ({ old, device, place, chunks, pages, snapshots } = site);
});
afterAll(() => site.remove());
beforeEach(async () => {
  data = await site.newData();
});
afterEach(async () => {
  await rm(join(data, ".."), { recursive: true, force: true });
});

function restore({ data: into = data, ...more }: Partial<RestoreFromOptions> = {}): Promise<RestoreReport> {
  return site.restore(into, more);
}
function withRestored(work: (restored: GatewayFixture) => Promise<void>): Promise<void> {
  return site.withRestored(data, work);
}

let copy: string;
beforeEach(async () => {
  copy = join(data, "..", "replica");
  await cp(place, copy, { recursive: true });
});

const objects = (kind: string): string[] => {
  const below = join(vaultFolder(device.vault), kind);
  return readdirSync(join(copy, below), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(copy.length + 1));
};
const flip = (key: string): void => {
  const bytes = readFileSync(join(copy, key));
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(join(copy, key), bytes);
};
const cut = (key: string): void => {
  const bytes = readFileSync(join(copy, key));
  writeFileSync(join(copy, key), bytes.subarray(0, bytes.length - 1));
};
const from = (more: Partial<RestoreFromOptions> = {}) => restore({ url: `file://${copy}`, ...more });
/** Keys of the newest root's objects that restoring must read. */
const needed = async (kind: "index" | "snapshots" | "catalog" | "manifest" | "keys"): Promise<string[]> => {
  const all = objects(kind);
  if (kind === "snapshots") return all;
  // Older generations have objects of their own, which nobody reads.
  const read: string[] = [];
  for (const key of all) {
    const bytes = readFileSync(join(copy, key));
    await rm(join(copy, key));
    const failed = await from({ dryRun: false }).then(
      () => false,
      () => true,
    );
    if (failed) read.push(key);
    writeFileSync(join(copy, key), bytes);
    await rm(data, { recursive: true, force: true });
  }
  return read;
};

test.each(["index", "snapshots", "catalog", "manifest", "keys"] as const)(
  "an object of %s that is missing, cut or changed is named, and nothing opens as a gateway",
  async (kind) => {
    const [key] = await needed(kind);
    for (const spoil of [
      flip,
      cut,
      (at: string) => rm(join(copy, at)),
      (at: string) => writeFileSync(join(copy, at), ""),
    ]) {
      const bytes = readFileSync(join(copy, key!));
      await spoil(key!);
      await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
      expect(existsSync(join(data, "gateway.json"))).toBe(false);
      writeFileSync(join(copy, key!), bytes);
    }
    // What is mended goes on.
    expect((await from()).damage).toEqual([]);
  },
);

test("a root that was changed, or another vault's, proves nothing", async () => {
  const key = rootKey(vaultFolder(device.vault), 2);
  const bytes = readFileSync(join(copy, key));
  flip(key);
  await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
  // The one before it still proves what it says.
  const older = await from({ allowDamaged: true });
  expect(older.damage.map(({ object }) => object)).toEqual([key, key]);
  expect(older.vaults.find((vault) => vault.vault === device.vault)).toMatchObject({ snapshots: 1 });
  await rm(data, { recursive: true });
  writeFileSync(join(copy, key), bytes);
  const other = old.gateway.catalog.vaults.list().find(({ id }) => id !== device.vault)!;
  writeFileSync(join(copy, key), readFileSync(join(copy, rootKey(vaultFolder(other.id), 2))));
  await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
});

test("an old state of a vault that was put back is told", async () => {
  await rm(join(copy, rootKey(vaultFolder(device.vault), 2)));
  await expect(from()).rejects.toMatchObject({ code: "rollback-detected" });
  const report = await from({ allowDamaged: true });
  expect(report.damage).toHaveLength(1);
  expect(report.vaults.find(({ vault }) => vault === device.vault)).toMatchObject({ snapshots: 1 });
});

test("the gateway's catalog and sealed.json, changed or of another", async () => {
  for (const kind of ["catalog", "sealed"]) {
    for (const name of readdirSync(join(copy, gatewayFolder, kind))) {
      const key = `${gatewayFolder}${kind}/${name}`;
      const bytes = readFileSync(join(copy, key));
      flip(key);
      const outcome = await from({ dryRun: true }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (outcome !== undefined)
        expect(outcome).toMatchObject({ code: "replica-damaged", detail: { object: key } });
      writeFileSync(join(copy, key), bytes);
    }
  }
  for (const name of readdirSync(join(copy, gatewayFolder, "catalog")))
    await rm(join(copy, gatewayFolder, "catalog", name));
  await expect(from()).rejects.toMatchObject({ code: "replica-damaged" });
});

test("--allow-damaged: a lost metadata pack hurts the snapshots that need it, and the next backup mends them", async () => {
  const metadata = [...(await old.gateway.vault(device.vault)).store.packs.all()].filter(
    ({ kind, name }) => kind === "meta" && name !== undefined,
  );
  const lost = toHex(metadata.at(-1)!.name!);
  const key = `${vaultFolder(device.vault)}packs/${lost.slice(0, 2)}/${lost}`;
  await rm(join(copy, key));
  await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
  const report = await from({ allowDamaged: true });
  expect(report.damage.map(({ object }) => object)).toContain(key);
  expect(report.vaults.find(({ vault }) => vault === device.vault)?.hurt).toContain(snapshots[1]);
  await withRestored(async (restored) => {
    const client = restored.client(device.token);
    const item = await client.putItem("files");
    const session = await client.startSession({ vault: device.vault, item: item.id, highestSequence: 2 });
    const all = [...chunks, ...pages];
    const have = await client.have(
      session.session,
      all.map(({ id }) => id),
    );
    const missing = all.filter((_, i) => !bitAt(have, i));
    expect(missing.length).toBeGreaterThan(1);
    await client.records(
      session.session,
      missing.map(({ record }) => record),
    );
    const root = pageRecord(device, [pages.at(-1)!.id], "after");
    await client.records(session.session, [root.record]);
    await client.commit(session.session, snapshotOf(device, item, 3, item.head, root.id).bytes);
  });
});

test("--allow-damaged: a lost index segment is made up for from the packs themselves", async () => {
  const [key] = await needed("index");
  await rm(join(copy, key!));
  const report = await from({ allowDamaged: true });
  expect(report.damage.map(({ object }) => object)).toContain(key);
  // The record that was found wrong before hurts the first snapshot, and that is all.
  expect(report.vaults.find(({ vault }) => vault === device.vault)).toMatchObject({
    records: chunks.length + pages.length,
    snapshots: 2,
  });
});

test("a state that somebody else sealed to the recovery key's public half is refused, also with --allow-damaged", async () => {
  // The forger knows what is in the clear in the replica, and plants an app password and a login of their own.
  const { catalog, dataDir } = old.gateway;
  const { id, recoveryPublic } = dataDir.identity;
  const secret = randomBytes(32);
  const part = JSON.parse(exportGatewayPart(dataDir.identity, catalog, replica, undefined).toString());
  for (const account of part.accounts) account.loginHash = "the forger's own";
  const put = (kind: string, bytes: Buffer) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(copy, gatewayFolder, kind, sha256), bytes);
    return { name: `${kind}/${sha256}`, bytes: bytes.length, sha256 };
  };
  const state = {
    settings: dataDir.settings,
    tls: dataDir.tls,
    secret: secret.toString("base64"),
    metadataKeys: Object.fromEntries(catalog.vaults.list().map((vault) => [vault.id, vault.metadataKey])),
  };
  const to = Buffer.from(recoveryPublic, "base64");
  const box = sealPublicBox(to, sealedContext(id), Buffer.from(JSON.stringify(state)));
  const document = { format: "holdfast-gateway-sealed", version: 1, gateway: id, public: recoveryPublic };
  const newest = readdirSync(join(copy, gatewayFolder, "root")).length;
  const before = readFileSync(join(copy, rootKey(gatewayFolder, newest)));
  const root = encodeRoot(
    {
      chain: "gateway",
      id,
      generation: newest + 1,
      previous: rootHash(before),
      writer: "ab".repeat(16),
      fence: 9,
      nonce: "cd".repeat(16),
      time: new Date().toISOString(),
      features: { read: [] },
      sealed: put("sealed", Buffer.from(JSON.stringify({ ...document, box: box.toString("base64") }))),
      catalog: put(
        "catalog",
        sealCatalog(Buffer.from(JSON.stringify(part)), gatewayCatalogKey(secret, fromHex(id, 16))),
      ),
    },
    gatewayRootKey(secret, fromHex(id, 16)),
  );
  writeFileSync(join(copy, rootKey(gatewayFolder, newest + 1)), root);
  for (const allowDamaged of [false, true]) {
    await expect(from({ allowDamaged })).rejects.toMatchObject({
      code: "replica-damaged",
      message: expect.stringContaining("sealed by somebody else"),
    });
    expect(existsSync(join(data, "gateway.json"))).toBe(false);
  }
  // The state before it is still there for who asks for it.
  await from({ wanted: { generation: newest } });
});
