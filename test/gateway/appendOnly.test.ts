// What the token of an append-only device opens: every route of the listener is asked, and a real agent backs up with it.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { appendRoutes } from "../../gateway/api/appendOnly.ts";
import { buildApp } from "../../gateway/api/server.ts";
import { parseDevice } from "../../gateway/replica/gatewayState/partRows.ts";
import { protocolHeader } from "../../ingest/wire/protocol.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { noise } from "../agent/backup/backupFixture.ts";
import { dataRecord, GatewayFixture, type TestAccount, type TestDevice } from "./gatewayFixture.ts";
import { Site } from "./seed/seedSites.ts";

let fixture: GatewayFixture;
let account: TestAccount;
/** May only add. */
let server: TestDevice;
let laptop: TestDevice;
let folder: string;
let source: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-append-")));
  source = join(folder, "source");
  mkdirSync(source);
  for (let n = 0; n < 40; n++) writeFileSync(join(source, `f${n}`), noise(3000 + n, n + 1));
  writeFileSync(join(source, "large"), noise(2_000_000, 77));
  fixture = await GatewayFixture.create();
  account = await fixture.account("anna");
  laptop = await fixture.device(account, "laptop");
  server = await fixture.device(account, "server", false, true);
});
afterAll(async () => {
  await fixture.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Those that need no token, or another kind of token. */
const otherRoutes =
  /^(?:\/healthz|\/readyz|\/v1\/(?:hello|directory|login|accounts|invites|peer|seed|openapi\.json))/;

test("every route of the listener refuses it, but for those of the list", async () => {
  const app = await buildApp(fixture.gateway);
  const { paths = {} } = app.swagger() as { paths?: Record<string, Record<string, unknown>> };
  const refused: string[] = [];
  const open: string[] = [];
  for (const [path, methods] of Object.entries(paths)) {
    if (otherRoutes.test(path)) continue;
    for (const method of Object.keys(methods)) {
      const url = path.replaceAll(/\{(\w+)\}/g, (_all, name) =>
        name === "vault" ? server.vault : "0".repeat(64),
      );
      const headers = { authorization: `Bearer ${server.token}`, [protocolHeader]: "1" };
      const answer = await app.inject({ method: method.toUpperCase() as "GET", url, headers });
      const route = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
      const isRefused = answer.statusCode === 403 && answer.json().error.message.includes("append-only");
      (isRefused ? refused : open).push(route);
    }
  }
  expect(open.sort()).toEqual([...appendRoutes].sort());
  expect(refused.length).toBeGreaterThanOrEqual(8);
  for (const route of ["POST /v1/vaults/:vault/read", "POST /v1/vaults/:vault/suspect", "GET /v1/events"]) {
    expect(refused).toContain(route);
  }
  await app.close();
});

test("an agent backs up with it, compares with its last snapshot, and does without where its cache is lost", async () => {
  const site = new Site(fixture, server);
  const cache = join(folder, "cache");
  const first = await site.backup(source, cache);
  expect(first.counts.filesRead).toBe(41);
  writeFileSync(join(source, "f3"), noise(5000, 99));
  const second = await site.backup(source, cache);
  expect(second).toMatchObject({ counts: { filesRead: 1, changed: 1 }, warnings: [], hadPrevious: true });
  const third = await site.backup(source, join(folder, "lost"));
  expect(third.warnings.join()).toContain("reading everything");
  // What is there is not sent again.
  expect(third).toMatchObject({ counts: { filesRead: 41 }, newChunks: expect.any(Number) });
  expect(third.sentBytes).toBeLessThan(first.sentBytes / 2);

  const mine = await server.client.snapshots();
  expect(mine.map(({ id }) => id)).toEqual([third.snapshot, second.snapshot, first.snapshot]);
  expect((await server.client.snapshotObject(third.snapshot)).length).toBeGreaterThan(0);
  for (const older of [first, second]) {
    await expect(server.client.snapshotObject(older.snapshot)).rejects.toMatchObject({
      code: ErrorCode.notFound,
    });
  }
  // Another device of the account restores it.
  const other = new Site(fixture, { ...laptop, client: fixture.client(laptop.token) });
  const target = join(folder, "back");
  expect(await other.restore(target)).toEqual([]);
}, 60_000);

test("it sees nothing of others, and has a group of its own", async () => {
  const content = Buffer.from("what everybody may guess");
  const item = await laptop.client.putItem("files");
  const request = { vault: laptop.vault, item: item.id, highestSequence: 0 };
  const { session } = await laptop.client.startSession(request);
  await laptop.client.records(session, [dataRecord(laptop, content).record]);
  expect(server.group).not.toBe(laptop.group);
  const own = await server.client.putItem("probe");
  const probe = await server.client.startSession({ ...request, item: own.id });
  expect(probe.group).toBe(server.group);
  const ids = [dataRecord(laptop, content).id, dataRecord(server, content).id];
  expect((await server.client.have(probe.session, ids))[0]).toBe(0);
  expect((await server.client.items()).map(({ device }) => device)).not.toContain("laptop");
  expect((await server.client.items({ device: "laptop" })).length).toBe(0);
  expect(await server.client.snapshots({ device: "laptop", newest: 10 })).toEqual([]);

  const { wraps } = (await server.client.keysDocument(server.vault)) as { wraps: { kind: string }[] };
  expect(wraps).toMatchObject([{ kind: "device", device: server.id }]);
  const usual = (await laptop.client.keysDocument(server.vault)) as { wraps: unknown[] };
  expect(usual.wraps.length, "password, recovery key and both devices").toBe(4);
});

test("it stays what it is: in lists, after a restart, and in a replica's catalog", async () => {
  const shown = await fixture.administration.devices("anna");
  expect(shown.map(({ name, appendOnly }) => [name, appendOnly])).toEqual(
    expect.arrayContaining([
      ["laptop", false],
      ["server", true],
    ]),
  );
  const row = fixture.gateway.catalog.devices.get(server.id);
  expect(parseDevice(JSON.parse(JSON.stringify(row)))).toEqual(row);
  expect(row).toMatchObject({ appendOnly: true, isolated: true });
  await fixture.stop();
  await fixture.start();
  const client = fixture.client(server.token);
  await expect(client.devices()).rejects.toMatchObject({ code: ErrorCode.forbidden });
});
