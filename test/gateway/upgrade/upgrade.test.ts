// A data directory that becomes one of a newer format: planted formats, real databases. Stopped or failed anywhere, it is as before.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as filesOfNode from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OfflineUpkeep } from "../../../gateway/admin/offlineUpkeep.ts";
import type { IndexEnvironment } from "../../../gateway/index/environment.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";
import type { Formats } from "../../../gateway/upgrade/formats.ts";
import { rollBack } from "../../../gateway/upgrade/upgradeDataDir.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";

vi.mock("node:fs/promises", { spy: true });

const watch = { onProgress: () => undefined, signal: new AbortController().signal };
const key = Buffer.from("planted");

/** Notes in a table of each database that a step was there. */
function note(environment: IndexEnvironment, step: number): void {
  const table = openTable(environment, "planted", jsonCodec<number[]>());
  environment.write(() => table.put(key, [...(table.get(key) ?? []), step]));
}

const three: Formats = {
  newest: 3,
  migrations: [
    { to: 3, what: "three", vault: (environment) => note(environment, 3) },
    {
      to: 2,
      what: "two",
      catalog: (environment) => note(environment, 2),
      vault: (environment) => note(environment, 2),
    },
  ],
};

let fixture: GatewayFixture;
let device: TestDevice;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
  await backUp();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await fixture.remove().catch(() => rmSync(fixture.path, { recursive: true, force: true }));
});

async function backUp(): Promise<string> {
  const item = await device.client.putItem("files");
  const asked = { vault: device.vault, item: item.id, highestSequence: item.sequence };
  const { session } = await device.client.startSession(asked);
  const record = dataRecord(device);
  const root = pageRecord(device, [record.id]);
  await device.client.records(session, [record.record, root.record]);
  const { bytes } = snapshotOf(device, item, item.sequence + 1, item.head, root.id);
  return (await device.client.commit(session, bytes)).snapshot;
}

async function start(known: Formats | undefined, may = true): Promise<void> {
  await fixture.start({ ...(known !== undefined && { formats: known }), upgrades: may });
  device = { ...device, client: fixture.client(device.token) };
}

const identity = () =>
  JSON.parse(readFileSync(join(fixture.path, "gateway.json"), "utf8")) as {
    version: number;
    upgrading?: number;
  };
const databases = () =>
  [join("catalog", "data.mdb"), join("vaults", device.vault, "index", "data.mdb"), "gateway.json"].map(
    (file) =>
      createHash("sha256")
        .update(readFileSync(join(fixture.path, file)))
        .digest("hex"),
  );
const noted = async (): Promise<unknown[]> => {
  const { catalog } = fixture.gateway;
  const environments = [catalog.environment, (await fixture.gateway.vault(device.vault)).store.environment];
  return environments.map((each) => openTable(each, "planted", jsonCodec<number[]>()).get(key));
};

test("it is upgraded step by step by a gateway that starts, and by nobody else; a copy stays; older programs refuse it", async () => {
  await fixture.stop();
  const before = databases();
  await expect(start(three, false)).rejects.toMatchObject({
    ...{ code: ErrorCode.unsupported, next: expect.stringContaining("gateway run") },
    message: expect.stringContaining("of format 1, and this program works on format 3"),
  });
  expect(databases()).toEqual(before);
  await start(three);
  expect(identity()).toMatchObject({ version: 3, id: fixture.gateway.dataDir.identity.id });
  expect(identity()).not.toHaveProperty("upgrading");
  expect(await noted()).toEqual([[2], [2, 3]]);
  await backUp();
  await fixture.stop();
  const copy = join(fixture.path, "before-upgrade", "1");
  expect(readdirSync(copy).sort()).toEqual(
    [`${device.vault}.mdb`, "catalog.mdb", "copy.json", "gateway.json"].sort(),
  );
  await expect(start(undefined)).rejects.toMatchObject({
    ...{ code: ErrorCode.unsupported, next: expect.stringContaining("gateway rollback") },
    message: expect.stringContaining("is of format version 3, this program knows version 1"),
  });
  await start(three);
  expect(await noted(), "done once").toEqual([[2], [2, 3]]);
});

test("a step that fails puts everything back at once; one that was killed is put back by the next start, which goes on", async () => {
  await fixture.stop();
  const before = databases();
  const wrong: Formats = {
    newest: 2,
    migrations: [
      {
        ...{ to: 2, what: "wrong", catalog: (environment) => note(environment, 2) },
        vault: () => {
          throw new Error("planted");
        },
      },
    ],
  };
  await expect(start(wrong)).rejects.toMatchObject({
    message: expect.stringContaining("could not be upgraded: Error: planted"),
  });
  expect(databases()).toEqual(before);
  await start(undefined);
  expect(await noted()).toEqual([undefined, undefined]);
  await fixture.stop();

  // Killed behind the mark: what it left is a directory that says so, with databases half changed.
  await start({ ...three, newest: 2 });
  await fixture.stop();
  writeFileSync(join(fixture.path, "gateway.json"), JSON.stringify({ ...identity(), upgrading: 1 }));
  await expect(start(undefined), "an older program").rejects.toMatchObject({ code: ErrorCode.unsupported });
  await expect(start({ ...three, newest: 2 }, false)).rejects.toThrow("in the middle of an upgrade");
  await start(three);
  expect(await noted()).toEqual([[2], [2, 3]]);
  expect(identity().version).toBe(3);
  await fixture.stop();

  // And in the middle of putting back.
  writeFileSync(join(fixture.path, "gateway.json"), JSON.stringify({ ...identity(), upgrading: 1 }));
  rmSync(join(fixture.path, "catalog", "data.mdb"));
  writeFileSync(join(fixture.path, "catalog", "data.mdb.tmp"), "half");
  writeFileSync(
    join(fixture.path, "catalog", "data.mdb"),
    readFileSync(join(fixture.path, "before-upgrade", "1", "catalog.mdb")),
  );
  await start(three);
  expect(await noted()).toEqual([[2], [2, 3]]);
});

test("a file that says nonsense of an upgrade is refused, and nothing is put back by it", async () => {
  await fixture.stop();
  const before = identity();
  for (const upgrading of ["../..", 0, -1, 1.5, null, {}]) {
    writeFileSync(join(fixture.path, "gateway.json"), JSON.stringify({ ...before, upgrading }));
    await expect(start(three), JSON.stringify(upgrading)).rejects.toMatchObject({
      code: ErrorCode.dataDirInvalid,
    });
  }
  writeFileSync(join(fixture.path, "gateway.json"), JSON.stringify(before));
  await start(undefined);
});

test("without room for the copy, or killed in it, nothing is changed", async () => {
  await fixture.stop();
  const before = databases();
  vi.mocked(filesOfNode.statfs).mockResolvedValueOnce({ bavail: 1, bsize: 4096 } as never);
  await expect(start(three)).rejects.toMatchObject({
    ...{ code: ErrorCode.diskFull, next: expect.stringContaining("Nothing was changed") },
  });
  expect(databases()).toEqual(before);
  const copying = vi.mocked(filesOfNode.copyFile);
  const { copyFile } = await vi.importActual<typeof filesOfNode>("node:fs/promises");
  let left = 1;
  copying.mockImplementation(async (...args) => {
    if (left-- === 0) throw Object.assign(new Error("planted"), { code: "EIO" });
    return await copyFile(...args);
  });
  await expect(start(three)).rejects.toMatchObject({ code: ErrorCode.ioError });
  expect(databases()).toEqual(before);
  expect(existsSync(join(fixture.path, "before-upgrade", "1", "copy.json"))).toBe(false);
  await expect(rollBack(fixture.path, false)).rejects.toMatchObject({ code: ErrorCode.notFound });
  copying.mockImplementation(copyFile);
  await start(three);
  expect(await noted()).toEqual([[2], [2, 3]]);
});

test("going back gives the older program its directory; backups that came since are there again after their index was made anew", async () => {
  await fixture.stop();
  await expect(rollBack(fixture.path, false)).rejects.toMatchObject({ code: ErrorCode.notFound });
  await start(three);
  const since = await backUp();
  await expect(rollBack(fixture.path, true)).rejects.toMatchObject({ code: ErrorCode.dataDirLocked });
  await fixture.stop();
  expect(await rollBack(fixture.path, true)).toMatchObject({
    copy: { from: 1, to: 3 },
    newerFiles: expect.any(Number),
  });
  expect(identity().version).toBe(3);
  const { newerFiles } = await rollBack(fixture.path, false);
  expect(newerFiles).toBeGreaterThan(1);
  expect(identity().version).toBe(1);
  await start(undefined, false);
  expect(await noted()).toEqual([undefined, undefined]);
  await new OfflineUpkeep(fixture.gateway).rebuildIndex({ vault: undefined }, watch);
  const { catalog } = await fixture.gateway.vault(device.vault);
  expect(catalog.snapshot(since)).toMatchObject({ sequence: 2, incomplete: false });
  expect((await device.client.putItem("files")).sequence).toBe(2);
  await backUp();
  expect((await device.client.putItem("files")).sequence).toBe(3);
});
