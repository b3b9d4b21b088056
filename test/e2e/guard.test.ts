// The guard, alerts, quotas and append-only devices as people meet them on the command line.

import { createCipheriv, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { done, enroll, enrollArguments, holdfast, lastEvent, openSite, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: Site;
let state: string;
let source: string;

beforeAll(async () => {
  site = await openSite((end) => void undo.unshift(end));
  state = await enroll(site, "laptop");
  source = join(site.folder, "source");
  mkdirSync(source);
  for (let n = 0; n < 60; n++) writeFileSync(join(source, `note ${n}.txt`), `line ${n}\n`.repeat(1000));
});
afterAll(async () => {
  for (const each of undo) await each();
});

const gateway = (...words: string[]): Promise<string> => done(...words, "--data", site.data);
const backup = async (): Promise<string> =>
  lastEvent(await done("agent", "backup", source, "--state", state, "--json")).snapshot as string;

/** Encrypts every file in place and renames it. */
function attack(): void {
  for (const name of readdirSync(source)) {
    const path = join(source, name);
    const cipher = createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16));
    writeFileSync(`${path}.locked`, Buffer.concat([cipher.update(readFileSync(path)), cipher.final()]));
    rmSync(path);
  }
}

test("an attack is held, seen where people look, and accepted or released by them", async () => {
  const good: string[] = [];
  for (let n = 0; n < 3; n++) {
    writeFileSync(join(source, `note ${n}.txt`), `new ${n}\n`);
    good.push(await backup());
  }
  expect(await gateway("guard", "status")).toBe("Nothing is held.\n");
  attack();
  const bad = await backup();
  const status = await gateway("guard", "status");
  expect(status).toMatch(/alice\/main\/laptop\/files: held since/);
  expect(status).toMatch(new RegExp(`by snapshot ${bad.slice(0, 16)}.*rewritten 100 %.*encrypted`));
  expect(await gateway("gateway", "status")).toMatch(
    /CRITICAL {2}alice\/main\/laptop\/files: a sudden change/,
  );
  await gateway("retention", "set", "alice", "--last", "1");
  const pruned = await holdfast("gateway", "prune", "--data", site.data);
  expect(pruned.status).toBe(3);
  expect(pruned.stderr).toContain("nothing goes while the guard holds it");
  const dry = (await holdfast("gateway", "prune", "--dry-run", "--data", site.data)).stdout;
  expect(dry).toMatch(new RegExp(`${(good[0] as string).slice(0, 16)}.*stays: held by guard`));
  expect(await gateway("snapshot", "list")).toMatch(/pinned: held by guard since/);
  const [alert] = JSON.parse(await gateway("alert", "list", "--json"));
  expect(await gateway("alert", "acknowledge", String(alert.id), "--note", "Ann")).toContain(
    "acknowledged: Ann",
  );

  expect((await holdfast("guard", "accept", "alice", "--data", site.data)).status).toBe(2);
  await gateway("guard", "confirm", "alice", "--item", "files");
  expect(await gateway("guard", "status")).toContain("confirmed as an attack");
  await gateway("guard", "release", "alice", "--all");
  expect(await gateway("alert", "list")).toBe("No alerts.\n");
  // The three good ones are pinned, the newest stays in any case.
  expect(await gateway("gateway", "prune")).toContain("0 snapshots went to the trash, 4 snapshots stay.");
  expect(await gateway("guard", "set", "alice", "--item", "files", "--rewritten", "90")).toContain(
    "rewritten 90 %",
  );
  expect(await gateway("guard", "status", "--all")).toMatch(/alice\/main\/laptop\/files +3 /);
});

test("an append-only machine backs up, and restores nothing", async () => {
  await done(...enrollArguments(site, "server"), "--append-only");
  const server = join(site.folder, "state-server");
  expect(await gateway("device", "list")).toMatch(/server +active +isolated +adds only/);
  const { snapshot } = lastEvent(await done("agent", "backup", source, "--state", server, "--json"));
  expect(await done("agent", "snapshots", "--state", server)).toContain((snapshot as string).slice(0, 8));
  const target = join(site.folder, "back");
  const refused = await holdfast("agent", "restore", "latest", "--target", target, "--state", server);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("append-only");
  await done("agent", "restore", "latest", "--device", "server", "--target", target, "--state", state);
  expect(readdirSync(join(target, source))).toHaveLength(60);
});

test("a quota refuses a backup with what to do next", async () => {
  const set = await holdfast("account", "quota", "alice", "--bytes", "1KiB", "--data", site.data);
  expect(set).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("more is stored than the quota allows"),
  });
  writeFileSync(join(source, "large"), randomBytes(100_000));
  const refused = await holdfast("agent", "backup", source, "--state", state);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/account alice may store 1024 bytes.*account quota/s);
  const [row] = JSON.parse(await gateway("account", "list", "--json"));
  expect(row).toMatchObject({ name: "alice", quota_bytes: 1024, quota_devices: null });
  expect(row.stored_bytes).toBeGreaterThan(1024);
  await gateway("account", "quota", "alice", "--none");
  expect(await backup()).toMatch(/^[0-9a-f]{64}$/);
});
