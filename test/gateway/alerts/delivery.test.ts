// Alerts on their way to people: a real SMTP server and a real web server on loopback, with a gateway whose clock the test turns.

import { createHmac } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SMTPServerOptions } from "smtp-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Alerting, testWays } from "../../../gateway/alerts/alerting.ts";
import { DiskForecast } from "../../../gateway/health/diskForecast.ts";
import type { GatewaySettings } from "../../../gateway/settings.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { type Mail, openRelay, openWeb, type Post } from "./loopback.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const password = "a secret of the relay";
const secret = "a secret of the webhook";
const signal = new AbortController().signal;

let fixture: GatewayFixture;
let alerting: Alerting;
let nowMs: number;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await fixture.remove();
});

function configure(settings: Partial<GatewaySettings>): void {
  Object.assign(fixture.gateway.dataDir.settings, settings);
}

async function restart(settings: Partial<GatewaySettings>): Promise<void> {
  await fixture.stop();
  await fixture.start();
  configure(settings);
  alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
}

function secretFile(name: string, text: string): string {
  const path = join(fixture.path, name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

const raise = (subject: string, severity: "info" | "warning" | "critical" = "warning") =>
  fixture.gateway.alerts.raise({
    ...{
      kind: "planted",
      severity,
      subject,
      message: "something is wrong. Do something.",
      figures: { share: 0.5 },
    },
  });

const closing = (close: () => Promise<void>): void => void closers.push(close);
const relay = (options: SMTPServerOptions) =>
  openRelay(closing, fixture.gateway.dataDir.tls, password, options);
const web = (answer: (post: Post) => { status: number; location?: string }) => openWeb(closing, answer);

function mailSettings(alertSmtp: string): Partial<GatewaySettings> {
  return {
    ...{
      alertSmtp,
      alertMailFrom: "holdfast@box.example",
      alertMailTo: "ops@box.example, night@box.example",
    },
    alertSmtpPasswordFile: secretFile("smtp.secret", password),
    alertCaFile: join(fixture.path, "tls", "cert.pem"),
  };
}

const hookSettings = (alertWebhook: string): Partial<GatewaySettings> => ({
  alertWebhook,
  alertWebhookSecretFile: secretFile("hook.secret", secret),
});

test.each([
  ["smtps", { secure: true }],
  ["smtp", { secure: false }],
] as const)(
  "mail goes out by %s, with TLS and a login, and no password is told when that fails",
  async (scheme, options) => {
    const { port, mails, logins } = await relay(options);
    configure(mailSettings(`${scheme}://relay-user@localhost:${port}`));
    expect(await testWays(fixture.gateway, signal)).toEqual([{ way: "mail", failure: null }]);
    raise("acme/laptop/files", "critical");
    raise("quite harmless", "info");
    await alerting.look();
    expect(mails.map(({ to, secure, user }) => ({ to, secure, user }))).toEqual(
      [1, 2].map(() => ({ to: ["ops@box.example", "night@box.example"], secure: true, user: "relay-user" })),
    );
    const { source } = mails[1] as Mail;
    expect(source).toMatch(/^From: holdfast@box.example\r\n/m);
    expect(source).toMatch(/^Subject: holdfast test: 1 critical\r\n/m);
    expect(source).toMatch(/^Auto-Submitted: auto-generated\r\n/im);
    expect(source).toContain("CRITICAL  acme/laptop/files");
    expect(source).toContain("share 0.5");
    expect(source).not.toContain("harmless");

    const { alertSmtpPasswordFile: file = "" } = fixture.gateway.dataDir.settings;
    secretFile("smtp.secret", "another secret");
    const [refused] = await testWays(fixture.gateway, signal);
    expect(logins.at(-1)).toBe("another secret");
    expect(refused?.failure).toContain(`localhost:${port}`);
    expect(refused?.failure).not.toContain("another secret");
    chmodSync(file, 0o644);
    const [open] = await testWays(fixture.gateway, signal);
    expect(open?.failure).toContain("open to other users (mode 644)");
    expect(mails).toHaveLength(2);
  },
);

test("a relay without STARTTLS gets neither login nor mail, nor one that nobody vouches for; smtp-plain asks for neither", async () => {
  const bare = await relay({
    secure: false,
    disabledCommands: ["STARTTLS"],
    allowInsecureAuth: true,
    authOptional: true,
  });
  configure(mailSettings(`smtp://relay-user@127.0.0.1:${bare.port}`));
  expect((await testWays(fixture.gateway, signal))[0]?.failure).toContain("could not be sent");
  const vouched = await relay({ secure: true });
  configure({ ...mailSettings(`smtps://relay-user@localhost:${vouched.port}`), alertCaFile: "" });
  expect((await testWays(fixture.gateway, signal))[0]?.failure).toMatch(/certificate/);
  expect([...bare.logins, ...vouched.logins]).toEqual([]);
  configure({ alertSmtp: `smtp-plain://127.0.0.1:${bare.port}`, alertSmtpPasswordFile: "" });
  expect(await testWays(fixture.gateway, signal)).toEqual([{ way: "mail", failure: null }]);
  expect(bare.mails.map(({ secure }) => secure)).toEqual([false]);
});

test("a webhook is signed; no redirect is followed; a failure is tried again, later each time, over a restart, as the same message", async () => {
  const elsewhere = await web(() => ({ status: 200 }));
  let status = 302;
  const { url, posts } = await web(() => ({ status, location: elsewhere.url }));
  const settings = hookSettings(url);
  configure(settings);
  raise("first");
  await alerting.look();
  expect(posts).toHaveLength(1);
  status = 500;
  nowMs += minuteMs - 1;
  await alerting.look();
  expect(posts, "it waits a minute").toHaveLength(1);
  nowMs += 1;
  await alerting.look();
  await restart(settings);
  nowMs += 2 * minuteMs - 1;
  await alerting.look();
  expect(posts, "then two, also over a restart").toHaveLength(2);
  nowMs += 1;
  await alerting.look();
  expect(posts).toHaveLength(3);
  expect(fixture.gateway.alerts.list().map(({ kind }) => kind)).toEqual(["alerts-not-sent", "planted"]);
  status = 204;
  nowMs += 4 * minuteMs;
  await alerting.look();
  expect(posts).toHaveLength(4);
  expect(elsewhere.posts).toEqual([]);
  expect(fixture.gateway.alerts.list().map(({ kind }) => kind)).toEqual(["planted"]);
  const bodies = posts.map(
    ({ body }) => JSON.parse(body) as { id: string; kind: string; title: string; alerts: unknown[] },
  );
  expect(bodies.slice(0, 3).map(({ id }) => id)).toEqual([1, 2, 3].map(() => bodies[0]?.id));
  expect(bodies[0]).toMatchObject({
    ...{ kind: "alerts", title: "holdfast test: 1 warning", more: 0, gateway: { name: "test" } },
    alerts: [
      { kind: "planted", subject: "first", severity: "warning", resolved: null, figures: { share: 0.5 } },
    ],
  });
  const { body, headers } = posts[3] as Post;
  const [, seconds = "", signature] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["holdfast-signature"])) ?? [];
  expect(seconds).toBe(String(nowMs / 1000));
  expect(signature).toBe(createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex"));
  expect(JSON.stringify(posts)).not.toContain(secret);
});

test("five hundred alerts are one message; what is over is told; open ones come again until somebody acknowledges", async () => {
  const { url, posts } = await web(() => ({ status: 200 }));
  configure(hookSettings(url));
  fixture.gateway.catalog.write(() => {
    for (let n = 0; n < 500; n++) raise(`item ${n}`, n === 7 ? "critical" : "warning");
  });
  await alerting.look();
  const last = () =>
    JSON.parse(posts.at(-1)?.body ?? "") as {
      kind: string;
      title: string;
      alerts: { subject: string }[];
      more: number;
    };
  expect(posts).toHaveLength(1);
  expect(last().alerts).toHaveLength(50);
  expect(last().alerts[0]?.subject).toBe("item 7");
  expect(last()).toMatchObject({ more: 450, title: "holdfast test: 1 critical, 49 warning, 450 more" });
  await alerting.look();
  expect(posts, "nothing new").toHaveLength(1);

  for (let n = 1; n < 500; n++) fixture.gateway.alerts.resolve("planted", `item ${n}`);
  nowMs += 4 * minuteMs;
  await alerting.look();
  expect(posts, "one message in five minutes").toHaveLength(1);
  nowMs += minuteMs;
  await alerting.look();
  expect(last()).toMatchObject({ kind: "alerts", alerts: expect.arrayContaining([]) });
  expect(last().title).toMatch(/^holdfast test: 50 over, \d+ more$/);

  nowMs += 24 * hourMs;
  await alerting.look();
  expect(posts).toHaveLength(3);
  expect(last()).toMatchObject({
    kind: "reminder",
    title: "holdfast test: still 1 warning",
    alerts: [{ subject: "item 0" }],
  });
  nowMs += 23 * hourMs;
  await alerting.look();
  expect(posts).toHaveLength(3);
  fixture.gateway.alerts.acknowledge(fixture.gateway.alerts.list()[0]!.id, "known");
  nowMs += 2 * hourMs;
  await alerting.look();
  expect(posts, "somebody knows").toHaveLength(3);
  nowMs -= 300 * hourMs;
  raise("after the clock was set back");
  await alerting.look();
  expect(posts).toHaveLength(4);
});

test("a way that is set up later hears what is open and not of what was; without any way a test says what to do", async () => {
  await expect(testWays(fixture.gateway, signal)).rejects.toMatchObject({ code: ErrorCode.usage });
  raise("was");
  fixture.gateway.alerts.resolve("planted", "was");
  raise("is");
  await alerting.look();
  const { url, posts } = await web(() => ({ status: 200 }));
  configure(hookSettings(url));
  await alerting.look();
  configure({ alertWebhook: "" });
  raise("meanwhile");
  fixture.gateway.alerts.resolve("planted", "meanwhile");
  nowMs += hourMs;
  await alerting.look();
  configure({ alertWebhook: url });
  await alerting.look();
  const subjects = posts.map(({ body }) =>
    (JSON.parse(body) as { alerts: { subject: string }[] }).alerts.map(({ subject }) => subject),
  );
  expect(subjects).toEqual([["is"], ["is"]]);
  expect(readFileSync(fixture.gateway.dataDir.settings.alertWebhookSecretFile, "utf8")).toBe(`${secret}\n`);
});

test("stopping ends what is being sent", async () => {
  const { port } = await relay({ secure: true, onConnect: () => undefined });
  configure(mailSettings(`smtps://relay-user@localhost:${port}`));
  raise("first");
  const looking = alerting.look();
  alerting.stop();
  await looking;
  expect(fixture.gateway.alerts.list().map(({ kind }) => kind)).toEqual(["planted"]);
});
