// A box whose disk gets full in the middle of its first backup, and that goes on with a second disk: what was acknowledged is not sent
// again, both disks are carried, and they bring everything in either order.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks, twice } from "./ackLog.ts";
import { Box } from "./box.ts";
import { createDisk } from "./loopDisk.ts";
import { eventsOf, holdfast, type Ran, type RunOptions, Site } from "./program.ts";
import { canRun } from "./requirements.ts";
import { describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const random = randomFrom(31);
const taking = ["seed", "import"] as const;
/** More than the first disk holds, less than the second one. */
const [ownMiB, sourceFiles, secondMiB] = [112, 20, 208];
/** A backup that finds no room ends at once: until packs have left, it is begun again. */
const triesMax = 60;

describe.skipIf(!canRun("a box on two disks", "losetup", "mkfs.ext4", "mount"))("a full box", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-full-box-"));
  const source = join(scratch, "source");
  const acksPath = join(scratch, "acks");
  const recording: RunOptions = {
    preload: ["recordAcks.ts"],
    environment: { HOLDFAST_TEST_ACKS: acksPath },
  };
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("goes on with a second disk, and both bring everything", async () => {
    const [own, second] = [createDisk(scratch, "own", ownMiB), createDisk(scratch, "second", secondMiB)];
    const site = await Site.create(join(scratch, "site"));
    const box = await Box.prepare(site, join(own.folder, "box"), { reserveMiB: 16 });
    await box.start();
    mkdirSync(source);
    for (let n = 0; n < sourceFiles; n++) writeFileSync(join(source, `file ${n}`), random.bytes(6 * MiB));
    const backup = (...statuses: number[]) =>
      site.runAgent(["backup", source, "--json"], { ...recording, statuses });

    const full = await backup(1);
    expect(eventsOf(full).at(-1)).toMatchObject({ event: "error", code: "disk-full" });
    expect(full.stderr.trim().split("\n"), full.stderr).toHaveLength(1);
    expect(box.gateway.running).toBe(true);
    const questions = box.questions(site.state);
    const told = readAcks(acksPath);
    expect(idsOf(told, "stored").size).toBeGreaterThan(0);
    expect(await questions.absent(idsOf(told, "stored"))).toEqual([]);

    await holdfast(["seed", "extend", ...box.options, "--disk", second.folder]);
    let done = await backup(0, 1);
    for (let tries = 1; done.status !== 0; tries++) {
      expect(eventsOf(done).at(-1)).toMatchObject({ code: "disk-full" });
      expect(tries, `${box.gateway.stdout}`).toBeLessThan(triesMax);
      await sleep(500);
      done = await backup(0, 1);
    }
    const { snapshot } = eventsOf(done).at(-1) as { snapshot: string };
    expect(twice(told, readAcks(acksPath).slice(told.length)), "sent again").toEqual([]);
    expect(await questions.absent(idsOf(readAcks(acksPath), "stored"))).toEqual([]);

    await box.stop();
    const manifest = join(scratch, "manifest.hfb");
    const sealed = await box.seal("--offline", "--manifest-out", manifest);
    const { packs, pack_bytes: packBytes } = eventsOf(sealed).at(-1) as { packs: number; pack_bytes: number };
    expect(eventsOf(sealed).at(-1)).toMatchObject({ snapshots: 1, damaged: [], warnings: 0 });
    expect(packBytes).toBeGreaterThan(ownMiB * MiB);
    const custody = readFileSync(join(box.directory, "seed", "custody"), "utf8");
    expect(custody).toMatch(/"extended"[\s\S]*"sealed"/);

    // Both arrive, at two datacentres that are one: the own disk first, and the second one first.
    await site.stop();
    await holdfast(["seed", "promise", manifest, "--data", site.data]);
    const other = site.with({ data: join(scratch, "other"), state: site.state });
    cpSync(site.data, other.data, { recursive: true });
    const wanted = describeTree(source);
    for (const { at, order } of [
      { at: site, order: [box.directory, second.folder] },
      { at: other, order: [second.folder, box.directory] },
    ]) {
      const [first, last] = order.map(
        (disk) => () =>
          holdfast([...taking, disk, "--box", "1", "--data", at.data, "--json"], { statuses: [0, 3] }),
      ) as [() => Promise<Ran>, () => Promise<Ran>];
      const { left } = eventsOf(await first()).at(-1) as { left: number };
      // The own disk lacks what has left it. The second one may have everything, or lack what was written last.
      if (at === site) expect(left).toBeGreaterThan(0);
      const end = { state: "imported", packs, left: 0, refused: 0, whole: 1, needs: 0 };
      expect(eventsOf(await last()).at(-1)).toMatchObject(end);
      await at.start();
      const target = join(scratch, "restored");
      await at.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
      expect(describeTree(target)).toEqual(wanted);
      rmSync(target, { recursive: true });
      await at.stop();
    }
  });
});
