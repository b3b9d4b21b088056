// A disk under the gateway that fails for a while, in part, or for good: the gateway says so, loses nothing that it acknowledged, and goes on
// once the disk is well and it was started again.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IndexEnvironment, openIndexEnvironment } from "../../gateway/index/environment.ts";
import { randomFrom } from "../fidelity/random.ts";
import { fetchJson } from "../gateway/fetchJson.ts";
import { scanPack } from "../reference/pack.ts";
import { idsOf, readAcks, twice } from "./ackLog.ts";
import { FaultyDisk, faultTools } from "./faultyDisk.ts";
import { eventsOf, holdfast, type Program, type Ran, Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { runTool, tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
/** Of LMDB. */
const pageBytes = 4096;
const random = randomFrom(23);
describe.skipIf(!canRun("a disk that fails", ...faultTools))("a disk that fails", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-disk-errors-"));
  const source = join(scratch, "source");
  const acksPath = join(scratch, "acks");
  const recording = { preload: ["recordAcks.ts"], environment: { HOLDFAST_TEST_ACKS: acksPath } };
  let disk: FaultyDisk;
  let site: Site;
  let round = 0;

  beforeAll(async () => {
    // Without a journal, which would give up the whole file system at its first error: so it is the gateway that has to know what is there.
    disk = await FaultyDisk.create(join(scratch, "faulty"), 256, "no journal");
    site = await Site.create(join(scratch, "site"), { data: join(disk.folder, "data") });
    await holdfast(["guard", "set", "alice", "--off", "--data", site.data]);
    mkdirSync(source);
    changeSource(source, random, round++);
    await site.backup([source], recording);
  });
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Ends the gateway, and starts it on what is on the disk: nothing is in the kernel's memory any more. */
  async function startAnew(): Promise<void> {
    if (site.gateway.running) await site.gateway.end("SIGKILL");
    disk.unmount();
    disk.mount();
    await site.start();
  }

  /** Starts a backup of some more MiB than a slow disk takes in a moment, and waits until a part of it was acknowledged. */
  async function halfABackup(): Promise<{ agent: Program; linesBefore: number }> {
    // Without a journal nothing keeps both names of a pack that is renamed while its disk fails (docs/decisions/0016-failing-disks.md).
    await site.closePacks();
    changeSource(source, random, round++);
    for (let i = 0; i < 6; i++) writeFileSync(join(source, `big ${i}`), random.bytes(4 * MiB));
    const linesBefore = readAcks(acksPath).length;
    await disk.pace({ bytes: 12 * MiB, requests: 0 });
    const agent = site.agent(["backup", source, "--json"], recording);
    const stored = () =>
      readAcks(acksPath)
        .slice(linesBefore)
        .filter(({ event }) => event === "stored");
    while (agent.running && stored().length === 0) await sleep(5);
    return { agent, linesBefore };
  }

  /** Everything that was acknowledged is there, and the next backup sends none of it again and restores as it should. */
  async function goesOn(linesBefore: number): Promise<void> {
    const before = readAcks(acksPath);
    expect(idsOf(before.slice(linesBefore), "stored").size).toBeGreaterThan(0);
    expect(await site.absent(idsOf(before, "stored")), "acknowledged, but not there").toEqual([]);
    const { snapshot } = await site.backup([source], recording);
    expect(twice(before.slice(linesBefore), readAcks(acksPath).slice(before.length)), "sent again").toEqual(
      [],
    );
    await site.runAgent(["check", snapshot, "--read-data", "100%"]);
    expect(restoreBesides(await openBesides(site), snapshot, source)).toEqual(describeTree(source));
  }

  function expectIoError(ran: Ran): void {
    expect(ran.status, ran.stderr).toBe(1);
    expect(eventsOf(ran).at(-1)).toMatchObject({ event: "error", code: "io-error" });
    expect(ran.stderr.trim().split("\n"), ran.stderr).toHaveLength(1);
  }

  const ready = async (): Promise<unknown> => (await fetchJson(`${site.url}/readyz`)).body;
  const admin = (words: readonly string[], ...statuses: number[]): Promise<Ran> =>
    holdfast([...words, "--data", site.data, "--json"], { statuses });

  it("flushes that fail: the backup ends, and nothing is stored until the gateway is started again", {
    timeout: 120_000,
  }, async () => {
    const { agent, linesBefore } = await halfABackup();
    await disk.fail({ kind: "flush" });
    expectIoError(await agent.ended);
    await disk.pace({ bytes: 0, requests: 0 });
    await disk.well();
    // What the disk did not take is not made up for by itself.
    const refused = await site.runAgent(["backup", source, "--json"], { statuses: [1] });
    expectIoError(refused);
    expect(refused.stderr).toContain("until the gateway is started again");
    // The catalog is on the same disk: what a backup tells of itself may have met the failure, too.
    const notReady = { ready: false, reasons: expect.arrayContaining(["vaults-not-writable"]) };
    expect(await ready()).toMatchObject(notReady);
    expect(await site.absent(idsOf(readAcks(acksPath), "stored"))).toEqual([]);
    await startAnew();
    await goesOn(linesBefore);
    expect(await ready()).toMatchObject({ ready: true });
  });

  it("writes that fail: nothing is lost, whether the gateway goes on or ends", {
    timeout: 120_000,
  }, async () => {
    const { agent, linesBefore } = await halfABackup();
    await disk.fail({ kind: "write" });
    // Its database may give up before packs are written again: then the agent waits for the next gateway.
    const first = await Promise.race([
      agent.ended.then(() => "agent"),
      site.gateway.ended.then(() => "gateway"),
    ]);
    await disk.pace({ bytes: 0, requests: 0 });
    await disk.well();
    if (first === "agent") expectIoError(await agent.ended);
    else expect((await site.gateway.ended).status).toBe(1);
    await startAnew();
    if (first === "gateway") expect((await agent.ended).status).toBe(0);
    await goesOn(linesBefore);
  });

  it("the index cannot be written: reading goes on, and it is whole afterwards", {
    timeout: 120_000,
  }, async () => {
    const [newest = ""] = await site.snapshots();
    const pin = ["snapshot", "pin", newest];
    await disk.fail({ kind: "write" });
    expect(eventsOf(await admin(pin, 1)).at(-1)).toMatchObject({ event: "error", code: "io-error" });
    await disk.well();
    const refused = await admin(pin, 1);
    expect(refused.stderr).toContain("until the gateway is started again");
    expect(await ready()).toMatchObject({ reasons: expect.arrayContaining(["vaults-not-writable"]) });
    await site.runAgent(["check", newest, "--read-data", "100%"]);
    await startAnew();
    expect(eventsOf(await admin(["gateway", "check"], 0)).at(-1)).toMatchObject({ problems: 0 });
    await admin(pin, 0);
  });

  it("the head of the index cannot be written: the gateway ends, and says why", {
    timeout: 120_000,
  }, async () => {
    const [newest = ""] = await site.snapshots();
    const unpin = ["snapshot", "unpin", newest];
    const heads = disk.sectorsOf(join(site.vaultFolder, "index", "data.mdb"), 0, 2 * pageBytes);
    await disk.fail({ kind: "write", sectors: heads });
    await admin(unpin, 1);
    const { status, stderr } = await site.gateway.ended;
    expect(status).toBe(1);
    expect(stderr).toContain("the disk failed while");
    await disk.well();
    await startAnew();
    expect(eventsOf(await admin(["gateway", "check"], 0)).at(-1)).toMatchObject({ problems: 0 });
    await admin(unpin, 0);
  });

  it("pages of an index that the disk did not take are new ones after the next start", async () => {
    const folder = join(disk.folder, "index alone");
    const rows = Array.from({ length: 100 }, (_, i) => ({
      key: Buffer.from(`${i}`),
      value: random.bytes(2000),
    }));
    const put = (environment: IndexEnvironment): void => {
      const table = environment.openRaw("rows");
      environment.write(() => {
        for (const { key, value } of rows) table.putSync(key, value);
      });
    };
    const opened = async (work: (environment: IndexEnvironment) => Promise<void> | void): Promise<void> => {
      const environment = openIndexEnvironment(folder);
      try {
        await work(environment);
      } finally {
        await environment.close();
      }
    };
    await opened(async (environment) => {
      environment.openRaw("rows");
      await disk.fail({ kind: "write" });
      expect(() => put(environment)).toThrow("the disk failed while");
      await disk.well();
      expect(() => put(environment)).toThrow("the disk failed while");
    });
    await opened(put);
    await startAnew();
    await opened((environment) => {
      const table = environment.openRaw("rows");
      for (const { key, value } of rows) expect(value.equals(table.getBinary(key)!)).toBe(true);
    });
  });

  it("what was written and not synced counts only if it is on the disk", async () => {
    await site.stop();
    await site.start({ preload: ["dieBeforeSync.ts"] });
    changeSource(source, random, round++);
    const linesBefore = readAcks(acksPath).length;
    const agent = site.agent(["backup", source, "--json"], recording);
    await site.gateway.ended;
    await agent.end("SIGKILL");
    // The kernel's own writing of these pages fails: they stay in its memory, and count as written.
    await disk.fail({ kind: "write" });
    spawnSync("sync", ["-f", disk.folder]);
    await disk.well();
    // Who syncs first may be told of the error.
    await site.start().catch(() => site.start());
    const sent = idsOf(readAcks(acksPath).slice(linesBefore), "sent");
    const absent = new Set(await site.absent(sent).catch(() => site.absent(sent)));
    const there = [...sent].filter((id) => !absent.has(id));
    expect(there.length, "records that were written and not synced").toBeGreaterThan(0);
    await startAnew();
    expect(await site.absent(there), "said to be there, and not on the disk").toEqual([]);
    await site.backup([source], recording);
  });

  it("a sector that cannot be read costs one file; scrub names the pack, and a replica heals it", {
    timeout: 120_000,
  }, async () => {
    await site.stop();
    await site.start({ preload: ["packTarget.ts"], environment: { HOLDFAST_TEST_PACK_BYTES: "4000000" } });
    const pictures = join(scratch, "pictures");
    mkdirSync(pictures);
    for (let i = 0; i < 12; i++) writeFileSync(join(pictures, `picture ${i}`), random.bytes(700_000 + i));
    const wanted = describeTree(pictures);
    const { snapshot } = await site.backup([pictures, "--item", "pictures"]);
    await admin(["replica", "add", "disk", pathToFileURL(join(scratch, "replica")).href], 0);
    await admin(["replica", "run", "disk"], 0);
    await startAnew();
    const pack = runTool(
      "find",
      join(site.vaultFolder, "packs"),
      "-type",
      "f",
      "-newer",
      join(pictures, "picture 11"),
      "-size",
      "+3M",
    );
    const path = pack.split("\n")[0]!;
    const { places } = scanPack(readFileSync(path));
    await startAnew();
    const { offset, length } = places[Math.floor(places.length / 2)]!;
    const bad = disk.sectorsOf(path, offset + Math.floor(length / 2), offset + Math.floor(length / 2) + 1);
    expect(bad).toHaveLength(1);
    await disk.fail({ kind: "read", sectors: bad });
    // The gateway may have looked at the pack by itself meanwhile: the kernel is to let go of it.
    runTool("dd", `if=${path}`, "iflag=nocache", "count=0", "status=none");

    const restored = async (name: string, status: number): Promise<string[]> => {
      const target = join(scratch, name);
      const restore = ["restore", `${snapshot}:${pictures}`, "--target", target, "--json"];
      const ran = await site.runAgent(restore, { statuses: [status] });
      const found = describeTree(target);
      const lost = [...wanted.keys()].filter((each) => found.get(each) !== wanted.get(each));
      const named = eventsOf(ran).filter(({ event }) => event === "warning");
      expect(named.map(({ path }) => basename(String(path)))).toEqual(lost);
      return lost;
    };
    expect(await restored("in part", 3)).toHaveLength(1);
    const problems = async (status: number, ...more: string[]) =>
      eventsOf(await admin(["gateway", "scrub", ...more], status)).filter(({ event }) => event === "problem");
    const problem = { kind: "pack", name: basename(path), condition: "unreadable" };
    expect(await problems(1, "--no-heal")).toMatchObject([{ ...problem, healed_from: null }]);
    expect(await problems(3)).toMatchObject([{ ...problem, healed_from: "disk" }]);
    expect(await restored("whole", 0)).toEqual([]);
    await disk.well();
  });

  it("a disk that is pulled: what it had taken by then is enough", async () => {
    const { agent, linesBefore } = await halfABackup();
    await disk.pull();
    await Promise.race([agent.ended, site.gateway.ended]);
    for (const program of [agent, site.gateway]) if (program.running) await program.end("SIGKILL");
    disk.mountPulled();
    await site.start();
    await goesOn(linesBefore);
  });
});
