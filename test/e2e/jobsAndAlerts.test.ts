// Jobs, metrics and alerts as an administrator meets them, with a running gateway and without.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parsePrometheusText, seriesValue } from "../gateway/metrics/prometheusText.ts";
import { done, enroll, holdfast, lastEvent, openSite, Program, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: Site;

beforeAll(async () => {
  site = await openSite((end) => void undo.unshift(end));
  const state = await enroll(site, "laptop");
  const source = join(site.folder, "source");
  mkdirSync(source);
  writeFileSync(join(source, "note"), "version 1\n");
  await done("agent", "backup", source, "--state", state);
});
afterAll(async () => {
  for (const each of undo) await each();
});

const gateway = (...words: string[]): Promise<string> => done(...words, "--data", site.data);

test("what was done is told, in lines and in JSON, and metrics come over the admin socket", async () => {
  await gateway("gateway", "prune");
  const lines = (await gateway("job", "list")).split("\n");
  expect(lines[0]).toMatch(/^ID +STARTED +KIND +OF +RESULT +TOOK +NOTES$/);
  expect(lines[1]).toMatch(/^2 .* prune +done/);
  expect(lines[2]).toMatch(/^1 .* backup +alice\/laptop\/files +done .*records \d+, bytes/);
  expect(
    JSON.parse(await gateway("job", "list", "--kind", "backup", "--since", "1h", "--json")),
  ).toMatchObject([
    { id: 1, kind: "backup", result: "done", failure: null, figures: { records: expect.any(Number) } },
  ]);
  expect(await gateway("job", "list", "--failed")).toBe("No jobs.\n");
  expect(await gateway("job", "show", "1")).toMatch(/^Job 1: backup of alice\/laptop\/files\nResult: done\n/);
  expect((await holdfast("job", "show", "77", "--data", site.data)).stderr).toContain("there is no job 77");
  expect(await holdfast("job", "list", "--since", "soon", "--data", site.data)).toMatchObject({
    status: 2,
  });
  const families = parsePrometheusText(await gateway("gateway", "metrics"));
  expect(seriesValue(families, "holdfast_jobs_total", { kind: "backup", result: "done" })).toBe(1);
  expect(lastEvent(await gateway("gateway", "metrics-token", "--remove", "--json"))).toMatchObject({
    removed: false,
  });
  expect(await gateway("gateway", "metrics-token")).toMatch(/^hfm_[\w-]{43}\n$/);
});

test("a backup is seen while it runs, stopped at the gateway, and goes on with what it had sent", async () => {
  const state = join(site.folder, "state-laptop");
  const source = join(site.folder, "large");
  mkdirSync(source);
  for (let n = 0; n < 12; n++) writeFileSync(join(source, String(n)), randomBytes(2 ** 20));
  const words = ["agent", "backup", source, "--item", "large", "--state", state, "--json"];
  const slow = new Program([...words, "--limit-upload", "1MiB"]);
  type Job = { id: number; progress: { sentBytes: number } | null };
  let job: Job | undefined;
  while (!(job?.progress?.sentBytes ?? 0)) {
    await pause(100);
    [job] = JSON.parse(await gateway("job", "list", "--running", "--json")) as Job[];
  }
  const follow = new Program(["job", "follow", String(job?.id), "--data", site.data]);
  await follow.printed(/the agent began/);
  expect(await gateway("job", "cancel", String(job?.id), "--wait")).toMatch(
    /asked to stop[\s\S]*has ended: stopped\.\n$/,
  );
  const ended = await slow.ended();
  expect([ended.status, lastEvent(ended.stdout).code]).toEqual([1, "backup-cancelled"]);
  expect(await follow.ended()).toMatchObject({ status: 1, stderr: expect.stringContaining("was stopped") });
  const again = lastEvent(await done(...words));
  expect(again).toMatchObject({ files: 12, bytes: 12 * 2 ** 20 });
  expect(again.sent_bytes).toBeLessThan(12 * 2 ** 20);
  expect((await holdfast("job", "follow", String((job?.id ?? 0) + 1), "--data", site.data)).status).toBe(0);
});

test("a test of alerts says by which way it got out and by which not; expectations are set by name", async () => {
  expect(await holdfast("alert", "test", "--data", site.data)).toMatchObject({ status: 2 });
  const posts: string[] = [];
  const server = createServer(async (request, response) => {
    posts.push(Buffer.concat(await request.toArray()).toString());
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.unshift(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const secret = join(site.folder, "hook.secret");
  writeFileSync(secret, "planted secret\n", { mode: 0o600 });
  // A gateway that is opened by the command itself reads the file as it is now.
  await site.gateway.stop();
  const config = join(site.data, "config.toml");
  const text = readFileSync(config, "utf8")
    .replace('alert-webhook = ""', `alert-webhook = "http://127.0.0.1:${port}/"`)
    .replace('alert-webhook-secret-file = ""', `alert-webhook-secret-file = "${secret}"`);
  writeFileSync(config, text);
  expect(await gateway("config", "check")).toContain("good");
  expect(await gateway("alert", "test")).toBe("webhook: sent\n");
  const mail = text
    .replace('alert-smtp = ""', 'alert-smtp = "smtp-plain://127.0.0.1:1"')
    .replace('alert-mail-from = ""', 'alert-mail-from = "holdfast@b.example"');
  writeFileSync(config, mail);
  const set = ["report", "set", "alice", "--to", "a@b.example", "--schedule", "weekdays at 08:30"];
  expect(await gateway(...set, "--time-zone", "Europe/Vienna")).toMatch(
    /^Reports of alice go to a@b.example; .* due 20/,
  );
  expect(await gateway("report", "show", "alice")).toMatch(
    /^Subject: holdfast .*: alice: .*2 .*\n\nBackups of alice on /,
  );
  expect(posts.map((post) => (JSON.parse(post) as { kind: string }).kind)).toEqual(["test"]);
  server.close();
  const failed = await holdfast("alert", "test", "--data", site.data);
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain(`http://127.0.0.1:${port}`);
  expect(failed.stderr).not.toContain("planted secret");
  expect(await gateway("alert", "expect", "alice/laptop/files", "--every", "26h")).toBe(
    "Expected of alice/laptop/files: a snapshot every 26h.\n",
  );
  for (const words of [
    ["alice/laptop"],
    ["alice/laptop/files"],
    ["alice/laptop/files", "--never", "--learn"],
  ]) {
    expect(await holdfast("alert", "expect", ...words, "--data", site.data)).toMatchObject({ status: 2 });
  }
  const none = await holdfast("gateway", "metrics", "--data", site.data);
  expect(none).toMatchObject({ status: 1 });
  expect(none.stderr).toContain("gateway that runs");
});
