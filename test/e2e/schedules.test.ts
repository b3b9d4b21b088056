// Items that an administrator defines, obeyed by a real `agent run`: with the gateway, without it, and after kill -9. The wall's clock of
// each run begins some seconds before a full minute, so that nobody waits for one.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventsOf } from "./jsonLines.ts";
import { done, enroll, holdfast, makeSource, openSite, Program, runGateway } from "./program.ts";

test("agent run obeys what the gateway says, goes on without it, and after kill -9", {
  timeout: 120_000,
}, async () => {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  const data = ["--data", site.data];

  const refused = await holdfast(
    "item",
    "add",
    "alice/laptop/home",
    source,
    "--schedule",
    "daily at 25:00",
    ...data,
  );
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toContain('schedule rule "daily at 25:00": column 10: a time is 00:00 to 23:59');
  const add = [
    source,
    "--schedule",
    "daily at 10:01, 10:06, 10:31",
    "--jitter",
    "0s",
    "--exclude",
    "*.conf",
    ...data,
  ];
  expect(await done("item", "add", "alice/laptop/home", ...add)).toContain("revision 1");

  const run = (clock: string): Program => {
    const program = new Program(["agent", "run", "--state", state, "--clock", clock, "--json"]);
    onTestFinished(async () => void (await program.stop("SIGKILL")));
    return program;
  };
  const events = ({ stdout }: Program): unknown[] => eventsOf(stdout).map(({ event }) => event);
  const snapshots = async (): Promise<{ item: string; files: number }[]> =>
    JSON.parse(await done("agent", "snapshots", "--state", state, "--json"));

  const first = run("2026-11-26T10:00:57Z");
  await first.printed(/backup-done/);
  expect(await snapshots()).toMatchObject([{ item: "home", files: 4 }]);
  expect(await holdfast("agent", "run", "--state", state)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      `another \`holdfast agent run\` is at work on ${state} (process ${first.pid})`,
    ),
  });

  // A changed definition is there with SIGHUP, and what it replaces is said.
  await done("item", "edit", "alice/laptop/home", "--no-exclude", ...data);
  first.child.kill("SIGHUP");
  await first.printed(/"event":"item-changed".*"excludes":\[\].*"excludes":\["\*\.conf"\]/);
  await first.stop("SIGKILL");

  // The gateway is away: what is known is obeyed, and the backup lasts until it is back.
  await site.gateway.stop();
  const second = run("2026-11-26T10:05:58Z");
  await second.printed(/gateway-not-asked/);
  await second.printed(/backup-begins/);
  expect(events(second)).not.toContain("item-added");
  await pause(500);
  const config = join(site.data, "config.toml");
  writeFileSync(config, readFileSync(config, "utf8").replace("127.0.0.1:0", new URL(site.url).host));
  const gateway = await runGateway(site.data);
  onTestFinished(async () => void (await gateway.stop("SIGKILL")));
  await second.printed(/backup-done/);
  expect(await snapshots()).toMatchObject([{ files: 5 }, { files: 4 }]);
  second.child.kill("SIGKILL");
  await second.ended();

  // Another start finds the due time that nobody settled, and one that fails is known at the gateway.
  await done("item", "copy", "alice/laptop/home", "alice/laptop/gone", ...data);
  await done("item", "edit", "alice/laptop/gone", "--path", join(site.folder, "nowhere"), ...data);
  const third = run("2026-11-26T10:30:58Z");
  await third.printed(/"event":"backup-failed".*"item":"gone"/);
  await third.printed(/"event":"backup-done".*"item":"home"/);
  const list = async () => JSON.parse(await done("item", "list", "alice/laptop", "--json", ...data));
  while ((await list())[0].report === null) await pause(50);
  expect(await list()).toMatchObject([
    {
      item: "gone",
      report: { outcome: "failed", code: "not-found", message: expect.stringContaining("nowhere") },
    },
    { item: "home", revision: 2, report: null, received: expect.any(String) },
  ]);
  expect((await third.stop()).status).toBe(0);
  expect(await done("item", "remove", "alice/laptop/gone", ...data)).toContain("Its snapshots stay");
});
