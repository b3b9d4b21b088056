// Garbage collection by the real commands: what it says before and after, what is gone from the disk, and that all the rest is whole.

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { done, enroll, holdfast, lastEvent, openSite } from "./program.ts";

const mebibyte = 2 ** 20;

test("backup, prune, gc, restore of the rest, check, and backup again", async () => {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const source = join(site.folder, "source");
  const big = join(source, "big");
  const gateway = (...words: string[]): Promise<string> => done(...words, "--data", site.data);
  const backUp = async (): Promise<string> =>
    lastEvent(await done("agent", "backup", source, "--state", state, "--json")).snapshot as string;
  const onDisk = (): number => {
    const vaults = join(site.data, "vaults");
    const names = readdirSync(vaults, { recursive: true, encoding: "utf8" });
    const packs = names.filter((name) => /\/(packs\/..|open)\/[^/]+$/.test(name));
    return packs.reduce((sum, name) => sum + statSync(join(vaults, name)).size, 0);
  };
  mkdirSync(source);
  writeFileSync(join(source, "note"), "version 1\n");
  writeFileSync(big, randomBytes(40 * mebibyte));
  const old = await backUp();
  rmSync(big);
  writeFileSync(join(source, "other"), randomBytes(3 * mebibyte));
  const newest = await backUp();

  await gateway("retention", "set", "alice", "--last", "1", "--trash", "0s");
  expect(await gateway("gateway", "prune")).toContain("1 snapshot went to the trash");
  const before = onDisk();
  const dry = await gateway("gateway", "gc", "--dry-run");
  expect(dry).toMatch(
    /^alice\/main: 1 snapshot would leave the trash for good; \d+ records are not needed any more; 1 pack \(.*\) would go$/m,
  );
  expect(onDisk()).toBe(before);
  expect(await gateway("gateway", "trash")).toContain(old.slice(0, 16));
  const collected = await gateway("gateway", "gc");
  expect(collected).toMatch(/^alice\/main: 1 snapshot left the trash for good; .* 1 pack \(.*\) will go$/m);
  expect(collected).toMatch(/^alice\/main: .* MiB freed: 1 pack removed, 0 written anew, 0 merged\.$/m);
  // The rest of it is in a pack that is still open.
  expect(before - onDisk()).toBeGreaterThan(30 * mebibyte);
  expect(await gateway("gateway", "trash")).not.toContain(old.slice(0, 16));
  expect(lastEvent(await gateway("gateway", "gc", "--json"))).toMatchObject({
    ...{ dry_run: false, snapshots: 0, records: 0, freed_bytes: 0, held: [] },
    vaults: [{ account: "alice", vault: "main", plan: { dead_records: 0 } }],
  });

  await done("agent", "check", newest, "--read-data", "100%", "--state", state);
  const target = join(site.folder, "restored");
  await done("agent", "restore", `${newest}:${source}`, "--target", target, "--state", state);
  for (const name of ["note", "other"]) {
    expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true);
  }
  writeFileSync(join(source, "note"), "version 2\n");
  const next = await backUp();
  await done("agent", "check", next, "--read-data", "100%", "--state", state);
  expect(lastEvent(await gateway("gateway", "scrub", "--json"))).toMatchObject({ problems: 0 });

  const nobody = await holdfast("gateway", "gc", "--account", "bob", "--data", site.data);
  expect(nobody).toMatchObject({ status: 1 });
  expect(nobody.stderr).toContain("nothing here is called bob");
  await site.gateway.stop();
  expect(await gateway("gateway", "gc", "--budget", "1GiB", "--for", "1h")).toMatch(/freed: 0 packs removed/);
});
