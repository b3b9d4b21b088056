// Retention as an administrator uses it: policies, prune, the trash, and a drive that shows what is left.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { done, enroll, holdfast, lastEvent, openSite, Program, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: Site;
let state: string;
/** Oldest first. */
let ids: string[];

beforeAll(async () => {
  site = await openSite((end) => void undo.unshift(end));
  state = await enroll(site, "laptop");
  const source = join(site.folder, "source");
  mkdirSync(source);
  ids = [];
  for (let n = 0; n < 4; n++) {
    writeFileSync(join(source, "note"), `version ${n}\n`);
    ids.push(lastEvent(await done("agent", "backup", source, "--state", state, "--json")).snapshot as string);
  }
});
afterAll(async () => {
  for (const each of undo) await each();
});

const gateway = (...words: string[]): Promise<string> => done(...words, "--data", site.data);
async function seen(): Promise<string[]> {
  const rows = JSON.parse(await done("agent", "snapshots", "--state", state, "--json"));
  return rows.map(({ id }: { id: string }) => id).reverse();
}

test("from a policy to the trash, and back", async () => {
  const [first, second, third, newest] = ids as [string, string, string, string];
  expect(await gateway("gateway", "prune")).toContain("No item has a policy");
  const refused = await holdfast("retention", "set", "alice", "--daily", "0", "--data", site.data);
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toContain("a policy keeps something");
  await gateway("retention", "set", "alice", "--last", "2", "--trash", "3d");
  expect(await gateway("retention", "show")).toMatch(/alice\/main +last 2 \(UTC; 3d in the trash\)/);
  await gateway("snapshot", "pin", first.slice(0, 12), "--reason", "as delivered");

  const mountpoint = join(site.folder, "drive");
  mkdirSync(mountpoint);
  await gateway("vault", "unlock", "alice", "--password-file", site.password);
  const drive = new Program(["agent", "mount", mountpoint, "--foreground", "--state", state]);
  undo.unshift(async () => void (await drive.stop()));
  await drive.printed(/The drive is at/);
  const item = join(mountpoint, "alice", "laptop", "files");
  const times = (): string[] => readdirSync(item).filter((name) => /^\d{4}-/.test(name));
  expect(times()).toHaveLength(4);

  const dry = await gateway("gateway", "prune", "--dry-run");
  expect(dry).toMatch(new RegExp(`${second.slice(0, 16)}.*goes: no rule keeps it`));
  expect(dry).toMatch(new RegExp(`${third.slice(0, 16)}.*stays: last 2 of 2`));
  expect(dry).toMatch(new RegExp(`${first.slice(0, 16)}.*stays: pinned`));
  expect(dry).toContain("1 snapshot would go to the trash, 3 snapshots stay.");
  expect(await seen()).toEqual(ids);

  expect(lastEvent(await gateway("gateway", "prune", "--json"))).toMatchObject({ kept: 3, trashed: 1 });
  expect(await seen()).toEqual([first, third, newest]);
  await expect.poll(times).toHaveLength(3);
  expect(await gateway("gateway", "trash")).toMatch(new RegExp(`${second.slice(0, 16)}.*policy: no rule`));
  expect((await holdfast("agent", "ls", second, "--state", state)).status).toBe(1);

  expect(await gateway("gateway", "undelete", second.slice(0, 10))).toContain("1 snapshot came back");
  expect(await seen()).toEqual(ids);
  await expect.poll(times).toHaveLength(4);
  const shown = times()
    .sort()
    .map((time) => readFileSync(join(item, time, site.folder, "source", "note"), "utf8"));
  expect(shown.sort()).toEqual([0, 1, 2, 3].map((n) => `version ${n}\n`));

  const kept = await holdfast("snapshot", "delete", newest, "--data", site.data);
  expect(kept).toMatchObject({ status: 1 });
  expect(kept.stderr).toContain("the newest one of its item");
  await gateway("snapshot", "delete", third, "--reason", "by mistake");
  expect(await seen()).toEqual([first, second, newest]);
  await gateway("gateway", "undelete", "--all");
  expect(await seen()).toEqual(ids);
});

test("it works the same without a running gateway", async () => {
  await gateway("snapshot", "tag", ids[1] as string, "--add", "quarter-end");
  await site.gateway.stop();
  await gateway("retention", "set", "alice", "--last", "1", "--tag", "quarter-end");
  expect(await gateway("gateway", "prune")).toContain("1 snapshot went to the trash, 3 snapshots stay.");
  expect(await gateway("snapshot", "list")).toMatch(/pinned: as delivered/);
});

test("a gateway that is restored from a replica has policies, pins and the trash again", async () => {
  const replica = join(site.folder, "replica");
  const back = join(site.folder, "back");
  mkdirSync(replica);
  await gateway("replica", "add", "disk", `file://${replica}`);
  await gateway("replica", "run", "disk");
  await done(
    ...["gateway", "restore-from", `file://${replica}`, "--data", back],
    ...["--recovery-key-file", join(site.folder, "grk")],
  );
  for (const words of [
    ["gateway", "trash"],
    ["retention", "show"],
    ["snapshot", "list"],
  ]) {
    expect(await done(...words, "--data", back), words.join(" ")).toBe(await gateway(...words));
  }
  expect(await done("gateway", "undelete", "--all", "--data", back)).toContain("1 snapshot came back");
});
