// Item definitions on a real gateway: who changes and who reads them, what a device may tell, and which alerts come of a schedule.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Alerting } from "../../gateway/alerts/alerting.ts";
import { auditedAdministration } from "../../gateway/audit/adminRules.ts";
import { byAdministrator } from "../../gateway/audit/audited.ts";
import { DiskForecast } from "../../gateway/health/diskForecast.ts";
import { DefinitionsClient } from "../../ingest/client/definitionsClient.ts";
import { emptyDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { DefinitionsAnswer, ReportRequest } from "../../ingest/wire/messages.ts";
import { ErrorCode } from "../../vault/errors.ts";
import {
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestAccount,
  type TestDevice,
} from "./gatewayFixture.ts";

const hourMs = 3_600_000;
const daily = { ...emptyDefinition(["/home"]), rules: ["daily at 02:00"], jitterSeconds: 600 };
const names = { account: "anna", device: "laptop", item: "home" };
const { signal } = new AbortController();
let fixture: GatewayFixture;
let account: TestAccount;
let device: TestDevice;
let client: DefinitionsClient;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1, 12);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  account = await fixture.account("anna");
  device = await fixture.device(account, "laptop");
  client = clientOf(device);
});
afterEach(async () => {
  client.close();
  await fixture.remove();
});

function clientOf({ token }: TestDevice): DefinitionsClient {
  return new DefinitionsClient({ url: fixture.listening.url, fingerprint: fixture.fingerprint, token });
}

const read = async (etag: string | null = null) => {
  const answer = await client.definitions(etag, signal);
  return answer && { etag: answer.etag, items: (answer.value as DefinitionsAnswer).items };
};

async function backup(name = "home"): Promise<void> {
  const item = await device.client.putItem(name);
  const wanted = { vault: device.vault, item: item.id, highestSequence: item.sequence };
  const { session } = await device.client.startSession(wanted);
  const root = pageRecord(device, [], `${name} ${item.sequence}`);
  await device.client.records(session, [root.record]);
  await device.client.commit(session, snapshotOf(device, item, item.sequence + 1, item.head, root.id).bytes);
}

async function look(): Promise<string[]> {
  const alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
  await alerting.look();
  return fixture.gateway.alerts
    .list()
    .map(({ kind, severity, subject }) => `${severity} ${kind}: ${subject}`);
}

test("a device reads its own items' definitions, and an unchanged answer costs one header", async () => {
  const { items } = fixture.administration;
  expect(await read()).toMatchObject({ items: [] });
  const made = await items.set({ ...names, revision: 0, definition: daily });
  expect(made).toMatchObject({
    revision: 1,
    nextDue: "2026-11-02T02:00:00.000Z",
    received: null,
    report: null,
  });
  const first = await read();
  expect(first?.items).toEqual([
    { id: expect.any(String), name: "home", revision: 1, definition: daily, estimate: true },
  ]);
  expect(await read(first?.etag)).toBeUndefined();
  // The device finds the item that the administrator made.
  expect((await device.client.putItem("home")).id).toBe(first?.items[0]?.id);
  await items.set({ ...names, revision: 1, definition: { ...daily, enabled: false } });
  expect(await read(first?.etag)).toMatchObject({ items: [{ revision: 2, definition: { enabled: false } }] });
  const other = clientOf(await fixture.device(account, "desktop"));
  expect(await other.definitions(null, signal)).toMatchObject({ value: { items: [] } });
  other.close();
  await fixture.stop();
  await fixture.start();
  client = clientOf(device);
  expect(await read()).toMatchObject({ items: [{ revision: 2 }] });
  expect(await fixture.administration.items.list({ account: "anna" })).toMatchObject([
    { ...names, revision: 2, nextDue: null },
  ]);
});

test("an edit names the revision that it was made from; what cannot be is refused", async () => {
  const { items } = fixture.administration;
  await items.set({ ...names, revision: 0, definition: daily });
  const refusals = [
    [{ ...names, revision: 0, definition: daily }, ErrorCode.exists],
    [{ ...names, revision: 7, definition: daily }, ErrorCode.sequenceConflict],
    [{ ...names, item: "none", revision: 1, definition: daily }, ErrorCode.notFound],
    [{ ...names, item: "none", revision: 0, definition: null }, ErrorCode.notFound],
    [{ ...names, device: "phone", revision: 0, definition: daily }, ErrorCode.notFound],
    [{ ...names, account: "bob", revision: 0, definition: daily }, ErrorCode.notFound],
    [{ ...names, item: "a/b", revision: 0, definition: daily }, ErrorCode.usage],
    [{ ...names, item: "x", revision: 0, definition: { ...daily, rules: ["daily"] } }, ErrorCode.usage],
    [{ ...names, item: "x", revision: 0, definition: { ...daily, paths: ["home"] } }, ErrorCode.usage],
  ] as const;
  for (const [request, code] of refusals) await expect(items.set(request)).rejects.toMatchObject({ code });
  expect(await items.list({})).toMatchObject([{ revision: 1 }]);
  expect(await items.set({ ...names, revision: 1, definition: null })).toBeNull();
  expect(await items.list({})).toEqual([]);
  expect(await read()).toMatchObject({ items: [] });
  // All of one device is bounded.
  const large = { ...daily, excludes: Array.from({ length: 15 }, (_, n) => `${n}`.padEnd(4000, "x")) };
  const setAll = async () => {
    for (let n = 0; n < 80; n++)
      await items.set({ ...names, item: `large${n}`, revision: 0, definition: large });
  };
  await expect(setAll()).rejects.toMatchObject({ code: ErrorCode.limitExceeded });
});

test("changes are in the audit log", async () => {
  const { audit } = fixture.gateway;
  const operations = auditedAdministration(fixture.administration, byAdministrator(audit));
  await operations.items.set({ ...names, revision: 0, definition: daily });
  await operations.items.set({ ...names, revision: 1, definition: null });
  const { entries } = await fixture.administration.audit.list({
    after: 0,
    limit: 100,
    event: "item.changed",
  });
  expect(entries.map(({ subject }) => subject)).toMatchObject([
    {
      ...names,
      revision: 1,
      removed: false,
      paths: ["/home"],
      rules: ["daily at 02:00"],
      sha256: expect.any(String),
    },
    { ...names, revision: 1, removed: true },
  ]);
});

test("a schedule says when a backup is missed, whether the agent says anything or not", async () => {
  const { items } = fixture.administration;
  await items.set({ ...names, revision: 0, definition: daily });
  nowMs = Date.UTC(2026, 10, 2, 4, 9);
  expect(await look()).toEqual([]);
  nowMs = Date.UTC(2026, 10, 2, 4, 11);
  expect(await look()).toEqual(["warning backup-missed: anna/laptop/home"]);
  // One that runs is not missed, however long it takes.
  const item = await device.client.putItem("home");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  expect(await look()).toEqual([]);
  await device.client.endSession(session);
  expect(await look()).toHaveLength(1);
  await backup();
  expect(await look()).toEqual([]);
  nowMs += 26 * hourMs;
  expect(await look()).toHaveLength(1);
  nowMs += 5 * 24 * hourMs;
  expect(await look()).toEqual(["critical backup-missed: anna/laptop/home"]);
  // What an administrator expects counts before the schedule; a disabled item is not missed.
  await fixture.administration.alerts.expect({ ...names, everySeconds: null });
  expect(await look()).toEqual([]);
  await fixture.administration.alerts.expect({ ...names, everySeconds: "learn" });
  expect(await look()).toHaveLength(1);
  await items.set({ ...names, revision: 1, definition: { ...daily, enabled: false } });
  expect(await look()).toEqual([]);
});

test("what a device tells is an alert and a row of the history, until a snapshot is there", async () => {
  const { items } = fixture.administration;
  await items.set({ ...names, revision: 0, definition: daily });
  const failed: ReportRequest = {
    due: "2026-11-01T02:00:00.000Z",
    outcome: "failed",
    code: ErrorCode.ioError,
    message: "/home: no such file",
  };
  await client.report("home", failed, signal);
  expect(await look()).toEqual(["warning backup-failed: anna/laptop/home"]);
  expect(await items.list({})).toMatchObject([{ report: { ...failed, at: "2026-11-01T12:00:00.000Z" } }]);
  expect(fixture.gateway.jobs.list({ failed: true, limit: 10 })).toMatchObject([
    {
      kind: "backup",
      subject: "anna/laptop/home",
      result: "failed",
      failure: { code: "io-error", message: failed.message },
    },
  ]);
  await client.report("home", { ...failed, outcome: "missed" }, signal);
  expect(await look()).toEqual(["warning backup-missed: anna/laptop/home"]);
  // What is only held back is shown, and neither an alert nor a row of the history.
  const rows = () => fixture.gateway.jobs.list({ failed: true, limit: 10 }).length;
  const before = rows();
  await client.report("home", { ...failed, outcome: "held", message: "on battery" }, signal);
  expect(rows()).toBe(before);
  expect((await look()).filter((line) => line.includes("missed"))).toEqual([]);
  expect(await items.list({})).toMatchObject([{ report: { outcome: "held", job: null } }]);
  // One that had come to a session is the same failure: no other row, and the words are the report's.
  const { id } = await device.client.putItem("home");
  const { session } = await device.client.startSession({ vault: device.vault, item: id, highestSequence: 0 });
  const counts = { files: 0, bytes: 0, totalFiles: 0, totalBytes: 0, sentBytes: 0, warnings: 0 };
  await device.client.tellProgress(session, {
    ...counts,
    over: { result: "failed", code: ErrorCode.ioError },
  });
  await client.report("home", failed, signal);
  expect(fixture.gateway.jobs.list({ failed: true, limit: 10 }).map((row) => row.id)).toEqual([3, 2, 1]);
  expect(await items.list({})).toMatchObject([{ report: { job: 3, message: failed.message } }]);
  expect(await look()).toEqual(["warning backup-failed: anna/laptop/home"]);
  nowMs += 1000;
  await backup();
  expect(await look()).toEqual([]);
  expect(await items.list({})).toMatchObject([{ report: null }]);
  await expect(client.report("mail", failed, signal)).rejects.toMatchObject({ code: ErrorCode.notFound });
  const wrong = { ...failed, code: "no-such-code" } as unknown as ReportRequest;
  await expect(client.report("home", wrong, signal)).rejects.toMatchObject({ code: ErrorCode.usage });
});
