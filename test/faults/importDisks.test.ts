// A box's disk that is pulled while it is imported, and a datacentre whose disk gets full: the job fails with a clear line, and the same
// command goes on.

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { Box } from "./box.ts";
import { createDisk, fillDisk } from "./loopDisk.ts";
import { eventsOf, holdfast, Program, type Ran, Site } from "./program.ts";
import { canRun } from "./requirements.ts";
import { describeTree } from "./sourceTree.ts";
import { runTool, tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const random = randomFrom(29);
const taking = ["seed", "import"] as const;
const able = canRun("imports from and to disks", "losetup", "mkfs.ext4", "mount", "fallocate");

/** A box for the site's agent in `directory`, which it has backed `source` up to; sealed, and without a line to anywhere. */
async function carriedBox(
  site: Site,
  directory: string,
  source: string,
): Promise<{ snapshot: string; data: readonly string[] }> {
  const box = await Box.prepare(site, directory);
  await box.start();
  const { snapshot } = await site.backup([source]);
  await box.stop();
  await box.seal("--offline");
  return { snapshot, data: ["--data", site.data] };
}

describe.skipIf(!able)("importing a box", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-import-disks-"));
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("from a disk that is pulled, to one that gets full", async () => {
    const own = createDisk(scratch, "own", 160);
    const carried = createDisk(scratch, "carried", 160);
    const site = await Site.create(join(scratch, "site"), { data: join(own.folder, "data"), reserveMiB: 4 });
    const directory = join(carried.folder, "box");
    const source = join(scratch, "source");
    mkdirSync(source);
    for (let n = 0; n < 8; n++) writeFileSync(join(source, `file ${n}`), random.bytes(5 * MiB));
    // Without a line: the manifest comes with the disk.
    const { snapshot, data } = await carriedBox(site, directory, source);

    const command = [...taking, directory, ...data, "--json"];
    const filler = fillDisk(own.folder, 20 * MiB);
    const full = await holdfast(command, { statuses: [1] });
    expect(eventsOf(full).at(-1)).toMatchObject({ event: "error", code: "disk-full" });
    expect(full.stderr.trim().split("\n"), full.stderr).toHaveLength(1);
    expect(site.gateway.running).toBe(true);
    // Started again on the full disk, it still opens what it has.
    await site.gateway.end("SIGKILL");
    await site.start();
    rmSync(filler);

    const status = await holdfast(["seed", "status", "1", ...data, "--json"]);
    expect(eventsOf(status).at(-1)).toMatchObject({ state: "importing" });
    const pulled = new Program(command);
    while (!pulled.stdout.includes('"progress"') && pulled.running) await sleep(5);
    runTool("umount", "--lazy", carried.folder);
    const gone = await pulled.ended;
    // It may have been through with reading.
    if (gone.status !== 0)
      expect(eventsOf(gone).at(-1)).toMatchObject({ event: "error", code: "seed-source-gone" });
    const away = await holdfast([...command, "--box", "1"], { statuses: gone.status === 0 ? [0] : [1] });
    if (gone.status !== 0) expect(eventsOf(away).at(-1)).toMatchObject({ code: "seed-source-gone" });
    runTool("mount", join(scratch, "carried.img"), carried.folder);

    expectDone(await holdfast(command), {
      state: "imported",
      left: 0,
      refused: 0,
      whole: 1,
      needs: 0,
      warnings: 0,
    });
    const target = join(scratch, "restored");
    await site.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(describeTree(source));
    await site.stop();
  });

  it("says what it left, and ends with status 3", async () => {
    const site = await Site.create(join(scratch, "second"));
    const directory = join(scratch, "second-box");
    const source = join(scratch, "second-source");
    mkdirSync(source);
    writeFileSync(join(source, "file"), random.bytes(MiB));
    const { data } = await carriedBox(site, directory, source);
    const packs = join(directory, "vaults", readdirSync(join(directory, "vaults"))[0]!, "packs");
    const [lost] = readdirSync(packs, { recursive: true })
      .map(String)
      .filter((path) => path.includes("/"));
    renameSync(join(packs, lost!), join(scratch, "lost"));
    const command = [...taking, directory, ...data, "--json"];
    const left = await holdfast(command, { statuses: [3] });
    expectDone(left, { state: "importing", left: 1, receipt: null, left_packs: [{ pack: lost!.slice(3) }] });
    expect(left.stdout).toContain("its file is not there");
    const finished = await holdfast([...command, "--finish"], { statuses: [3] });
    expectDone(finished, { state: "imported", left: 1 });
    // What is needed now comes with the next backup, and is found on the disk after all: once.
    renameSync(join(scratch, "lost"), join(packs, lost!));
    await site.backup([source]);
    expectDone(await holdfast(command), { state: "imported", left: 0, refused: 0, needs: 0, whole: 1 });
    await site.stop();
  });
});

function expectDone(ran: Ran, what: object): void {
  expect(eventsOf(ran).at(-1)).toMatchObject({ event: "done", dry_run: false, ...what });
}
