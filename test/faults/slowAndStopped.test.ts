// A disk that is slow, and processes that stand still for longer than connections wait: backups take longer, and that is all.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readEnrollment } from "../../agent/state/enrollment.ts";
import { randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks, twice } from "./ackLog.ts";
import { FaultyDisk, faultTools } from "./faultyDisk.ts";
import { holdfast, type Program, Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const random = randomFrom(29);
const idleMs = 2000;
/** Of both sides: connections on which nothing moves for so long are given up. */
const short = { HOLDFAST_TEST_IDLE_MS: String(idleMs) };
const gatewayBytesMax = 500 * MiB;

describe.skipIf(!canRun("a slow disk", ...faultTools))("slow and stopped", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-slow-"));
  const source = join(scratch, "source");
  const acksPath = join(scratch, "acks");
  let disk: FaultyDisk;
  let site: Site;

  beforeAll(async () => {
    disk = await FaultyDisk.create(join(scratch, "slow"), 256, "journal");
    site = await Site.create(join(scratch, "site"), { data: join(disk.folder, "data") });
    mkdirSync(source);
    changeSource(source, random, 0);
  });
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  const recording = (preload: readonly string[] = []) => ({
    preload: ["recordAcks.ts", ...preload],
    environment: { ...short, HOLDFAST_TEST_ACKS: acksPath },
  });

  async function wholeIn(target: Site, snapshot: string, folder: string): Promise<void> {
    await target.runAgent(["check", snapshot, "--read-data", "100%"]);
    expect(restoreBesides(await openBesides(target), snapshot, folder)).toEqual(describeTree(folder));
  }

  it("a slow disk: another device's backup and a restore end beside large backups, and memory stays bounded", {
    timeout: 120_000,
  }, async () => {
    const phone = site.with({ data: site.data, state: join(scratch, "phone") });
    await holdfast([
      ...["agent", "enroll", site.url, "--account", "alice", "--password-file", site.passwordFile],
      ...[
        "--fingerprint",
        readEnrollment(site.state).gateway.fingerprint,
        "--device",
        "phone",
        "--state",
        phone.state,
      ],
    ]);
    const small = join(scratch, "small");
    mkdirSync(small);
    writeFileSync(join(small, "note"), "a note\n");
    const { snapshot } = await site.backup([source]);
    const tree = describeTree(source);
    await disk.pace({ bytes: 4 * MiB, requests: 120 });
    let isOver = false;
    /** As long as the other device is at it, this one has more to store than the disk takes in a moment. */
    const large = (async (): Promise<void> => {
      while (!isOver) {
        for (let i = 0; i < 4; i++) writeFileSync(join(source, `big ${i}`), random.bytes(4 * MiB));
        await completed(site.agent(["backup", source, "--json"], recording()));
      }
    })();
    while (readAcks(acksPath).length < 2) await sleep(5);
    const second = await phone.backup([small]);
    const target = join(scratch, "restored");
    await site.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(tree);
    isOver = true;
    await disk.pace({ bytes: 0, requests: 0 });
    await large;
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${site.gateway.child.pid}/status`, "utf8"));
    expect(Number(peak?.[1]) * 1024).toBeLessThan(gatewayBytesMax);
    const [newest] = await site.snapshots();
    await wholeIn(site, newest!, source);
    await phone.runAgent(["check", second.snapshot, "--read-data", "100%"]);
  });

  it.each(["gateway", "agent"] as const)(
    "the %s stands still for longer than connections wait",
    {
      timeout: 120_000,
    },
    async (who) => {
      await site.stop();
      await site.start({ preload: ["shortLimits.ts"], environment: short });
      changeSource(source, random, 1);
      for (let i = 0; i < 3; i++) writeFileSync(join(source, `big ${i}`), random.bytes(4 * MiB));
      const linesBefore = readAcks(acksPath).length;
      await disk.pace({ bytes: 12 * MiB, requests: 0 });
      const agent = site.agent(["backup", source, "--json"], recording(["shortLimits.ts"]));
      while (agent.running && readAcks(acksPath).length < linesBefore + 2) await sleep(5);
      const victim = who === "agent" ? agent : site.gateway;
      expect(agent.running).toBe(true);
      victim.child.kill("SIGSTOP");
      const told = readAcks(acksPath);
      await sleep(idleMs * 2);
      victim.child.kill("SIGCONT");
      await completed(agent);
      await disk.pace({ bytes: 0, requests: 0 });
      expect(await site.absent(idsOf(readAcks(acksPath), "stored"))).toEqual([]);
      expect(twice(told.slice(linesBefore), readAcks(acksPath).slice(told.length)), "sent again").toEqual([]);
      const [newest] = await site.snapshots();
      await wholeIn(site, newest!, source);
    },
  );
});

async function completed(agent: Program): Promise<void> {
  const { status, stderr } = await agent.ended;
  expect(status, stderr).toBe(0);
}
