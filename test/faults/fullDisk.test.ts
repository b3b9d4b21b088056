// A full disk under the gateway, under the agent's state, and at the target of a restore: the job fails with a clear line, nothing
// that was acknowledged is lost, and work goes on once there is room.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks } from "./ackLog.ts";
import { createDisk, createTmpfs, type Disk, fillDisk } from "./loopDisk.ts";
import { eventsOf, type Ran, Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { runTool, tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const random = randomFrom(11);

/** The one clear line of a job that found its disk full. */
function expectDiskFull(ran: Ran): void {
  expect(ran.status, ran.stderr).toBe(1);
  expect(eventsOf(ran).at(-1)).toMatchObject({ event: "error", code: "disk-full" });
  expect(ran.stderr.trim().split("\n"), ran.stderr).toHaveLength(1);
  expect(ran.stderr).toMatch(/^holdfast: .*(room|space|free)/);
}

describe.skipIf(!canRun("full disks", "losetup", "mkfs.ext4", "mount", "fallocate"))("a full disk", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-full-"));
  const source = join(scratch, "source");
  const acksPath = join(scratch, "acks");
  const recording = { preload: ["recordAcks.ts"], environment: { HOLDFAST_TEST_ACKS: acksPath } };
  let disk: Disk;
  let site: Site;

  beforeAll(async () => {
    disk = createDisk(scratch, "disk", 128);
    site = await Site.create(join(scratch, "site"), { data: join(disk.folder, "data") });
    mkdirSync(source);
    changeSource(source, random, 0);
  });
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("under the gateway", async () => {
    const first = await site.backup([source], recording);
    const firstTree = describeTree(source);
    const filler = fillDisk(disk.folder, 12 * MiB);
    for (let i = 0; i < 6; i++) writeFileSync(join(source, `big ${i}`), random.bytes(4 * MiB));
    expectDiskFull(await site.runAgent(["backup", source, "--json"], { ...recording, statuses: [1] }));

    expect(site.gateway.running, "the gateway goes on").toBe(true);
    const told = idsOf(readAcks(acksPath), "stored");
    expect(await site.absent(told)).toEqual([]);
    await site.runAgent(["check", first.snapshot, "--read-data", "100%"]);
    expect(restoreBesides(await openBesides(site), first.snapshot, source)).toEqual(firstTree);

    // Killed and started again on the full disk, it still has everything.
    await site.gateway.end("SIGKILL");
    await site.start();
    expect(await site.absent(told)).toEqual([]);
    expect(await site.snapshots()).toEqual([first.snapshot]);

    rmSync(filler);
    const before = readAcks(acksPath).length;
    const second = await site.backup([source], recording);
    const sent = idsOf(readAcks(acksPath).slice(before), "sent");
    expect(
      [...sent].filter((id) => told.has(id)),
      "sent again",
    ).toEqual([]);
    await site.runAgent(["check", second.snapshot, "--read-data", "100%"]);
    expect(restoreBesides(await openBesides(site), second.snapshot, source)).toEqual(describeTree(source));
  });

  it("under the agent's state", async () => {
    const state = createTmpfs(join(scratch, "state"), 16);
    const other = site.with({ data: site.data, state: state.folder });
    runTool("cp", "-a", `${site.state}/.`, state.folder);
    changeSource(source, random, 1);
    const filler = fillDisk(state.folder, 0);
    expectDiskFull(await other.runAgent(["backup", source, "--json"], { statuses: [1] }));
    rmSync(filler);
    const { snapshot } = await other.backup([source]);
    await other.runAgent(["check", snapshot, "--read-data", "100%"]);
    expect(restoreBesides(await openBesides(site), snapshot, source)).toEqual(describeTree(source));
    state.unmount();
  });

  it("at the target of a restore", async () => {
    const [newest] = await site.snapshots();
    const target = createTmpfs(join(scratch, "target"), 4);
    const restore = ["restore", `${newest}:${source}`, "--target", join(target.folder, "tree"), "--json"];
    expectDiskFull(await site.runAgent(restore, { statuses: [1] }));
    runTool("mount", "-o", "remount,size=128m", target.folder);
    await site.runAgent(restore);
    expect(describeTree(join(target.folder, "tree"))).toEqual(describeTree(source));
    target.unmount();
  });
});
