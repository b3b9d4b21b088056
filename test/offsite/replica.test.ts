// Replicas on the command line: with a running gateway and without one the same.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { eventsOf } from "../e2e/jsonLines.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  openSite,
  Program,
  type Site,
} from "../e2e/program.ts";
import { readGateway, readVault } from "../reference/replica.ts";

type StatusRow = {
  name: string;
  url: string;
  state: string;
  pending_packs: number;
  pending_bytes: number;
  pending_snapshots: number;
  snapshots: Record<string, { complete: boolean; receipt: boolean }>;
};

function replica(site: Site, ...args: string[]): string[] {
  return ["replica", ...args, "--data", site.data];
}

async function status(site: Site, name: string): Promise<StatusRow> {
  return JSON.parse(await done(...replica(site, "status", name, "--json"))) as StatusRow;
}

/** A site with a backup, and an empty folder for a replica with its address. */
async function backedUp(): Promise<{
  site: Site;
  folder: string;
  url: string;
  backup: () => Promise<string>;
}> {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  const folder = join(site.folder, "usb disk");
  mkdirSync(folder);
  const backup = async (): Promise<string> => {
    const event = lastEvent(await done("agent", "backup", source, "--state", state, "--json"));
    return event.snapshot as string;
  };
  return { site, folder, url: pathToFileURL(folder).href, backup };
}

function packFiles(folder: string): string[] {
  return execFileSync("find", [folder, "-path", "*/packs/*/*", "-type", "f"], { encoding: "utf8" })
    .trim()
    .split("\n")
    .sort();
}

test("a folder: added, replicated, shown, verified, healed, removed", async () => {
  const { site, folder, url, backup } = await backedUp();
  const snapshot = await backup();
  const added = await holdfast(...replica(site, "add", "usb", url, "--bandwidth", "else unlimited"));
  expect([added.status, added.stderr]).toEqual([0, ""]);
  expect(added.stdout).toContain("can be written, read and deleted from");
  expect(existsSync(join(folder, "holdfast-replica.json"))).toBe(true);

  const ran = lastEvent(await done(...replica(site, "run", "usb", "--json")));
  expect(ran).toMatchObject({ event: "done", warnings: 0, vaults: [{ replica: "usb" }] });
  expect(await status(site, "usb")).toMatchObject({
    name: "usb",
    url,
    state: "idle",
    pending_packs: 0,
    pending_bytes: 0,
    pending_snapshots: 0,
    lag_hours: null,
    requests_cost_usd: null,
    conditional_puts: true,
    notes: [],
    snapshots: { [snapshot]: { complete: true, receipt: true } },
  });
  expect(await done(...replica(site, "status"))).toMatch(/usb +file:\S+usb%20disk +idle +1 of 1 +- +-/);
  expect(await done(...replica(site, "status", "usb"))).toContain("Offsite: 1 of 1 snapshot\nBehind: -\n");

  // Without a running gateway the same.
  await site.gateway.stop();
  const verified = eventsOf(await done(...replica(site, "verify", "usb", "--share", "100%", "--json")));
  expect(verified.find(({ event }) => event === "budget")).toMatchObject({ cost_usd: null });
  const last = verified.at(-1) as unknown as {
    packs: number;
    packs_verified: number;
    budget: object;
    used: object;
  };
  expect(last).toMatchObject({ event: "done", findings: [], packs: last.packs_verified, used: last.budget });
  const packs = packFiles(folder);
  expect(last.packs).toBe(packs.length);

  // A program that knows the format's page alone gets everything back from the replica.
  const reference = join(import.meta.dirname, "..", "reference", "main.ts");
  const inReplica = join(folder, "vaults", readdirSync(join(folder, "vaults"))[0]!);
  const rows = execFileSync(process.execPath, [reference, inReplica, site.password, "manifest", snapshot]);
  const target = join(site.folder, "restored");
  execFileSync(process.execPath, [reference, inReplica, site.password, "restore", snapshot, target]);
  expect(rows.toString()).toContain(Buffer.from("large.bin").toString("hex"));
  const large = join(site.folder, "source", "inner", "large.bin");
  expect(readFileSync(join(target, large)).equals(readFileSync(large))).toBe(true);

  // With the gateway's recovery key alone: its own state, and with that the proof of all roots.
  const { id: gateway } = JSON.parse(await done("gateway", "status", "--data", site.data, "--json")) as {
    id: string;
  };
  const { sealed, catalog } = readGateway(folder, gateway, readFileSync(join(site.folder, "grk"), "utf8"));
  expect(JSON.stringify(catalog)).toContain('"alice"');
  const vaultId = basename(inReplica);
  const read = readVault(folder, vaultId, Buffer.from(sealed.metadataKeys[vaultId], "base64"));
  expect(read.root).toMatchObject({ packs: packs.length, snapshots: 1 });
  expect(JSON.parse(read.catalog ?? "")).toBeTypeOf("object");

  // One altered, one gone; and a snapshot cut short.
  const bytes = readFileSync(packs[0]!);
  bytes[100]! ^= 1;
  writeFileSync(packs[0]!, bytes);
  renameSync(packs[1]!, join(site.folder, "elsewhere"));
  writeFileSync(join(inReplica, "snapshots", snapshot), "short");
  const found = await holdfast(...replica(site, "verify", "usb", "--share", "100"));
  expect(found.status).toBe(1);
  for (const name of [packs[0]!, packs[1]!, snapshot]) expect(found.stderr).toContain(name.split("/").at(-1));
  expect(found.stderr).toContain("--heal");
  const healed = await holdfast(...replica(site, "verify", "usb", "--share", "100", "--heal"));
  expect([healed.status, healed.stderr]).toEqual([3, expect.stringContaining("is healed")]);
  expect(await holdfast(...replica(site, "verify", "usb", "--share", "100"))).toMatchObject({ status: 0 });
  expect(packFiles(folder)).toEqual(packs);

  const removed = await done(...replica(site, "remove", "usb"));
  expect(removed).toContain("What is there stays there");
  expect(packFiles(folder)).toEqual(packs);
  expect(await done(...replica(site, "status"))).toContain("There are no replicas");
});

test("a snapshot is copied by the running gateway by itself, and after the disk was away", async () => {
  const { site, folder, url, backup } = await backedUp();
  await done(...replica(site, "add", "usb", url));
  const snapshot = await backup();
  await expect.poll(async () => (await status(site, "usb")).snapshots[snapshot], { interval: 200 }).toEqual({ complete: true, receipt: true }); // biome-ignore format: one line
  renameSync(folder, `${folder} away`);
  mkdirSync(folder);
  const second = await backup();
  const failed = await holdfast(...replica(site, "run", "usb"));
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining("is no replica now")]);
  expect(failed.stdout).toBe("");
  expect((await status(site, "usb")).snapshots[second]).toEqual({ complete: false, receipt: false });
  expect(readdirSync(folder)).toEqual([]);
  renameSync(folder, join(site.folder, "mount point"));
  renameSync(`${folder} away`, folder);
  await done(...replica(site, "run", "usb"));
  expect((await status(site, "usb")).snapshots[second]).toEqual({ complete: true, receipt: true });
});

test("a second gateway on the same replica writes only when it is told to take over; the first then stops", async () => {
  const { site, url, folder, backup } = await backedUp();
  await backup();
  await done(...replica(site, "add", "usb", url));
  await done(...replica(site, "run", "usb"));
  // A snapshot that is not there yet: the disk is away.
  renameSync(folder, `${folder} away`);
  const second = await backup();
  await site.gateway.stop();
  renameSync(`${folder} away`, folder);

  const copy = join(site.folder, "copy");
  execFileSync("cp", ["-a", site.data, copy]);
  const other = { ...site, data: copy };
  await done(...replica(other, "remove", "usb"));
  const again = await holdfast(...replica(other, "add", "usb", url));
  expect([again.status, again.stderr]).toEqual([0, expect.stringContaining("--take-over")]);
  const fenced = await holdfast(...replica(other, "run", "usb"));
  expect([fenced.status, fenced.stderr]).toEqual([1, expect.stringContaining("another gateway writes")]);
  expect((await status(other, "usb")).state).toBe("fenced");
  await done(...replica(other, "run", "usb", "--take-over"));
  expect((await status(other, "usb")).snapshots[second]?.complete).toBe(true);
  // What the other one put there is proven before this one vouches for it.
  await done(...replica(other, "verify", "usb", "--share", "100"));
  await done(...replica(other, "run", "usb"));
  expect((await status(other, "usb")).snapshots[second]).toEqual({ complete: true, receipt: true });

  const stopped = await holdfast(...replica(site, "run", "usb"));
  expect([stopped.status, stopped.stderr]).toEqual([1, expect.stringContaining("another gateway writes")]);
  expect(await status(site, "usb")).toMatchObject({ state: "fenced", pending_snapshots: 1 });
});

test("what cannot be added is refused, and says why", async () => {
  const { site, folder, url } = await backedUp();
  await done(...replica(site, "add", "usb", url));
  const refused = async (...args: string[]): Promise<string> => {
    const ran = await holdfast(...replica(site, "add", ...args));
    expect(ran.status).toBeGreaterThan(0);
    expect(ran.stdout).toBe("");
    return `${ran.status} ${ran.stderr}`;
  };
  expect(await refused("usb", `${url}2`)).toContain("1 holdfast: there is a replica usb already");
  expect(await refused("other", url)).toMatch(/1 holdfast: there is a replica at \S+, usb, already/);
  expect(await refused("x", folder)).toMatch(/2 .*file:\/\/\/PATH/);
  expect(await refused("x", "ftp://host/x")).toMatch(/2 .*not the address of a replica/);
  expect(await refused("x", `${url}/no/such`)).toMatch(/1 .*is not there/);
  expect(await refused("x", pathToFileURL(join(site.data, "x")).href)).toMatch(/2 .*own data directory/);
  expect(await refused("x", `${url}2`, "--region", "x")).toMatch(/2 .*--region is not for/);
  expect(await refused("x", `${url}2`, "--bandwidth", "fast")).toMatch(/2 /);
  expect(await refused("x", `${url}2`, "--schedule", "25:00")).toMatch(/2 .*schedule/);
  expect(await refused("x", `${url}2`, "--parallel", "65")).toMatch(/2 .*--parallel/);
  expect(await refused("x", "https://127.0.0.1:1")).toMatch(/2 .*token file/);
  expect(await refused("x", "s3://b/p", "--lock-days", "soon")).toMatch(/2 .*--lock-days/);
  expect(await refused("x/y", `${url}2`)).toMatch(/2 /);
  for (const args of [
    ["run", "none"],
    ["verify", "none"],
    ["remove", "none"],
    ["status", "none"],
  ]) {
    const ran = await holdfast(...replica(site, ...args));
    expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining("there is no replica none")]);
  }
  expect(await holdfast(...replica(site, "verify", "usb", "--share", "0"))).toMatchObject({ status: 2 });
});

test.each([true, false])(
  "Ctrl-C stops a run, and the next goes on from there (with a running gateway: %s)",
  async (running) => {
    const { site, url, backup } = await backedUp();
    writeFileSync(join(site.folder, "source", "random"), randomBytes(1_600_000));
    const snapshot = await backup();
    // So slow that it cannot be done before it is stopped.
    await done(...replica(site, "add", "usb", url, "--bandwidth", "200KiB/s", "--schedule", "only 03:00"));
    if (!running) await site.gateway.stop();
    const run = new Program(replica(site, "run", "usb", "--json"));
    await run.printed(/"event":"progress".*"bytes":[1-9]/);
    const stopped = await run.stop("SIGINT");
    expect([stopped.status, stopped.stderr]).toEqual([1, expect.stringMatching(/stopped.*again/i)]);
    expect((await status(site, "usb")).snapshots[snapshot]).toEqual({ complete: false, receipt: false });
    const last = lastEvent(await done(...replica(site, "run", "usb", "--json")));
    expect(last).toMatchObject({ event: "done", snapshots: 1 });
    expect((await status(site, "usb")).snapshots[snapshot]).toEqual({ complete: true, receipt: true });
  },
);
