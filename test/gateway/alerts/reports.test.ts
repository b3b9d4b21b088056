// Daily reports: a real mail server on loopback, and a gateway whose clock the test turns.

import type { Socket } from "node:net";
import type { SMTPServerOptions } from "smtp-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Reporting } from "../../../gateway/alerts/reports/reporting.ts";
import { ReportRows } from "../../../gateway/alerts/reports/reportRows.ts";
import { reportMail } from "../../../gateway/alerts/reports/reportText.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";
import { type Mail, openRelay } from "./loopback.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const signal = new AbortController().signal;

let fixture: GatewayFixture;
let reporting: Reporting;
let device: TestDevice;
let nowMs: number;
let mails: Mail[];
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 25, 12);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  reporting = new Reporting(fixture.gateway);
  device = await fixture.device(await fixture.account("anna"), "laptop");
  await relay();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await fixture.remove();
});

async function relay(options: SMTPServerOptions = {}): Promise<void> {
  const open = await openRelay((close) => void closers.push(close), fixture.gateway.dataDir.tls, "", {
    ...{ secure: false, disabledCommands: ["STARTTLS", "AUTH"], authOptional: true },
    ...options,
  });
  ({ mails } = open);
  configure(open.port);
}

function configure(port: number): void {
  const { settings } = fixture.gateway.dataDir;
  Object.assign(settings, {
    alertSmtp: `smtp-plain://127.0.0.1:${port}`,
    alertMailFrom: "holdfast@box.example",
  });
}

async function restart(): Promise<void> {
  const { alertSmtp } = fixture.gateway.dataDir.settings;
  await fixture.stop();
  await fixture.start();
  Object.assign(fixture.gateway.dataDir.settings, { alertSmtp, alertMailFrom: "holdfast@box.example" });
  device = { ...device, client: fixture.client(device.token) };
  reporting = new Reporting(fixture.gateway);
}

/** Looks as often as it matters here: twice an hour. */
async function pass(ms: number): Promise<void> {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += Math.min(30 * minuteMs, endMs - nowMs);
    await reporting.look();
  }
}

async function backUp(name: string): Promise<void> {
  const item = await device.client.putItem(name);
  const asked = { vault: device.vault, item: item.id, highestSequence: item.sequence };
  const { session } = await device.client.startSession(asked);
  const record = dataRecord(device);
  const root = pageRecord(device, [record.id]);
  await device.client.records(session, [record.record, root.record]);
  const snapshot = snapshotOf(device, item, item.sequence + 1, item.head, root.id);
  await device.client.commit(session, snapshot.bytes);
}

const set = (change: object = {}) =>
  fixture.administration.reports.set({
    ...{ account: "anna", to: ["it@acme.example", "boss@acme.example"], rules: ["daily at 07:00"] },
    ...{ timeZone: "Europe/Vienna", textOnly: false },
    ...change,
  });

/** The text of a mail, its lines whole. */
function textOf({ source }: Mail): string {
  return source
    .replaceAll("=\r\n", "")
    .replaceAll("\r\n", "\n")
    .replaceAll("=20", " ")
    .replaceAll("=3D", "=");
}

test("it says what was backed up, failed and missed, how much, the oldest item and the replicas; no words that an agent sent", async () => {
  await set();
  await backUp("good");
  await backUp("good");
  await backUp("old");
  const { gateway } = fixture;
  for (const kind of ["backup-failed", "backup-missed", "guard-hold"]) {
    const subject = `anna/laptop/${kind === "backup-missed" ? "old" : "files"}`;
    const message = "cannot read /home/anna/secret";
    gateway.alerts.raise({ kind, severity: "warning", subject, message, figures: {} });
  }
  await device.client.putItem("files");
  const job = gateway.jobs.begin({ kind: "backup", subject: "anna/laptop/files" });
  gateway.jobs.end(job, "failed", {
    failure: { code: ErrorCode.ioError, message: "/home/anna/secret", next: null },
  });
  await pass(24 * hourMs);
  expect(mails).toHaveLength(1);
  const mail = mails[0] as Mail;
  expect(mail.to).toEqual(["it@acme.example", "boss@acme.example"]);
  const text = textOf(mail);
  expect(text).toMatch(/^Subject: holdfast test: anna: 1 failed, 1 missed, 1 backed up$/m);
  expect(text).toContain("Backups of anna on test, 2026-11-25 13:00 to 2026-11-26 07:00 (Europe/Vienna).");
  expect(text).toContain("3 items: 1 failed, 1 missed, 1 backed up.");
  expect(text).toContain("Oldest: laptop/files has no backup yet.");
  expect(text).toContain(
    "  laptop/files: FAILED: 1 failed (io-error); no backup yet\n  laptop/old: MISSED: 1 backup,",
  );
  expect(text).toMatch(
    / {2}laptop\/good: backed up: 2 backups, [\d.]+ (bytes|KiB); newest 2026-11-25 13:00\n/,
  );
  expect(text).toContain("  anna/laptop/files: warning: guard-hold\n");
  expect(text).toContain("<td>laptop/files</td><td>FAILED</td>");
  expect(mail.source).not.toContain("secret");
  // The next day has nothing of that in it.
  await pass(24 * hourMs);
  expect(textOf(mails[1] as Mail)).toContain("2026-11-26 07:00 to 2026-11-27 07:00");
  expect(textOf(mails[1] as Mail)).toContain("laptop/good: not due: newest 2026-11-25 13:00");
});

test("one a day, over restarts and changed times; after days without a gateway one makes up for all", async () => {
  await set();
  await pass(20 * hourMs);
  expect(mails).toHaveLength(1);
  await restart();
  await pass(hourMs);
  await set({ rules: ["daily at 10:00", "daily at 11:00"] });
  await pass(5 * hourMs);
  expect(mails, "that day had one").toHaveLength(1);
  nowMs += 5 * 24 * hourMs;
  await restart();
  await pass(30 * minuteMs);
  expect(mails).toHaveLength(2);
  expect(textOf(mails[1] as Mail)).toContain(", 2026-11-26 07:00 to 2026-12-01 ");
  await set({ rules: ["sat at 10:00"], textOnly: true, timeZone: "UTC" });
  await pass(7 * 24 * hourMs);
  expect(mails).toHaveLength(3);
  expect((mails[2] as Mail).source).not.toContain("text/html");
  // A clock that was a year ahead holds nothing up.
  nowMs += 365 * 24 * hourMs;
  await pass(7 * 24 * hourMs);
  nowMs -= 372 * 24 * hourMs;
  const before = mails.length;
  await pass(15 * 24 * hourMs);
  expect(mails.length - before).toBe(2);
});

test("a server that says no is asked again, later each time, and somebody hears of it; the next one covers all", async () => {
  let isWell = false;
  const tries: number[] = [];
  await relay({
    onData: (stream, _session, done) => {
      stream.toArray().then(() => {
        tries.push(nowMs);
        done(isWell ? null : new Error("planted"));
      }, done);
    },
  });
  await set();
  await pass(21 * hourMs);
  const pauses = tries.slice(1).map((each, n) => (each - tries[n]!) / minuteMs);
  expect(pauses.length).toBeGreaterThan(3);
  expect(pauses, "they grow").toEqual(pauses.toSorted((a, b) => a - b));
  expect(fixture.gateway.alerts.list()).toMatchObject([{ kind: "report-not-sent", subject: "anna" }]);
  expect(await fixture.administration.reports.list()).toMatchObject([
    { account: "anna", lastDay: null, failure: expect.stringContaining("planted"), doubtful: [] },
  ]);
  isWell = true;
  await pass(2 * hourMs);
  expect(await fixture.administration.reports.list()).toMatchObject([
    { lastDay: "2026-11-26", failure: null },
  ]);
  expect(fixture.gateway.alerts.list()).toEqual([]);
});

test("a server that took all of it and says nothing may have it: it is not sent again, and the next one says so", async () => {
  let hangsUp = true;
  const taken: string[] = [];
  await relay({
    onData(this: { connections: Set<{ _socket: Socket }> }, stream, _session, done) {
      stream.toArray().then((pieces) => {
        taken.push(Buffer.concat(pieces as Buffer[]).toString());
        if (hangsUp) for (const { _socket: socket } of this.connections) socket.destroy();
        else done();
      }, done);
    },
  } as SMTPServerOptions);
  await set();
  await pass(22 * hourMs);
  expect(taken).toHaveLength(1);
  expect(await fixture.administration.reports.list()).toMatchObject([
    { lastDay: "2026-11-26", doubtful: ["2026-11-26"], failure: null },
  ]);
  hangsUp = false;
  await pass(24 * hourMs);
  expect(taken).toHaveLength(2);
  expect(taken[1]).toContain("The report of 2026-11-26 may not have arrived");
});

test("killed between handing over and the note: not sent again, and the next one covers its time", async () => {
  await set();
  await pass(19 * hourMs);
  expect(mails).toHaveLength(1);
  const rows = new ReportRows(fixture.gateway.catalog.environment);
  const [{ account, row } = { account: "", row: undefined }] = rows.list();
  if (row === undefined) throw new Error("no row");
  await pass(22 * hourMs);
  const untilMs = nowMs;
  const trying = { day: "2026-11-27", dueMs: Date.UTC(2026, 10, 27, 6), fromMs: row.coveredMs, untilMs };
  nowMs += 3 * hourMs;
  rows.put(account, { ...row, trying });
  await restart();
  await pass(2 * hourMs);
  expect(mails, "that of the 27th may be there").toHaveLength(1);
  expect(await fixture.administration.reports.list()).toMatchObject([
    { lastDay: "2026-11-27", doubtful: ["2026-11-27"] },
  ]);
  await pass(24 * hourMs);
  expect(mails).toHaveLength(2);
  const text = textOf(mails[1] as Mail);
  expect(text).toContain(", 2026-11-26 07:00 to 2026-11-28 07:00");
  expect(text).toContain("The report of 2026-11-27 may not have arrived: this one covers its time as well.");
  expect(await fixture.administration.reports.list()).toMatchObject([
    { lastDay: "2026-11-28", doubtful: [] },
  ]);
});

test("it is shown and sent on demand; wrong settings are refused; a removed account gets none", async () => {
  const { reports } = fixture.administration;
  for (const [change, words] of [
    [{ to: [] }, "addresses"],
    [{ to: ["nobody"] }, "not an address"],
    [{ to: ["a@b.example,c@d.example"] }, "not an address"],
    [{ rules: [] }, "rules"],
    [{ rules: ["daily at 25:00"] }, "column 10"],
    [{ timeZone: "Vienna" }, "time zone"],
    [{ account: "bob" }, "bob"],
  ] as const) {
    await expect(set(change), JSON.stringify(change)).rejects.toThrow(words);
  }
  await expect(reports.preview("anna")).rejects.toMatchObject({ code: ErrorCode.notFound });
  expect(await set()).toMatchObject({ account: "anna", nextDue: "2026-11-26T06:00:00.000Z", lastDay: null });
  nowMs += hourMs;
  expect(await reports.preview("anna")).toMatchObject({ subject: "holdfast test: anna: no items" });
  expect(await reports.send("anna", { onProgress: () => undefined, signal })).toEqual({
    to: ["it@acme.example", "boss@acme.example"],
    refused: 0,
  });
  expect(mails).toHaveLength(1);
  await reports.remove("anna");
  await pass(24 * hourMs);
  expect(mails).toHaveLength(1);
  expect(await reports.list()).toEqual([]);
  configure(1);
  Object.assign(fixture.gateway.dataDir.settings, { alertSmtp: "" });
  await expect(set()).rejects.toThrow("no mail server");
});

test("names are text, in a line of their own, whatever is in them", () => {
  const item = { verdict: "done", backups: 1, withWarnings: 0, failed: 0, code: null } as const;
  const mail = reportMail(
    {
      ...{
        gateway: "box\r\nBcc: x@y.example",
        account: "<b>a&b</b>",
        fromMs: 0,
        untilMs: 1,
        storedBytes: 2048,
      },
      ...{ quotaBytes: 4096, replicas: [], alerts: [] },
      items: [{ ...item, name: "a\nb/<img>", receivedBytes: 1, newest: "2026-11-25T12:00:00.000Z" }],
    },
    "UTC",
    [],
  );
  expect(mail.subject).toBe("holdfast box Bcc: x@y.example: <b>a&b</b>: 1 backed up");
  expect(mail.html).toContain("&lt;b&gt;a&amp;b&lt;/b&gt;");
  expect(mail.html).toContain("<td>a b/&lt;img&gt;</td>");
  expect(mail.html).not.toContain("<img>");
  expect(mail.text).toContain("1 bytes came in; 2.0 KiB of 4.0 KiB are stored.");
  expect(mail.text).toContain("  a b/<img>: backed up: 1 backup, 1 bytes");
});
