// The gateway's machine is gone: a new data directory from a replica and the recovery key alone, by the program. The agent goes on
// without enrolling anew, old snapshots are read while their packs are in the replica alone, and kill -9 at any point leaves a restore
// that goes on. HOLDFAST_SEED repeats a run, HOLDFAST_KILLS sets how often it is killed.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gateway } from "../../gateway/gateway.ts";
import { markFolder } from "../../gateway/replica/folder/marker.ts";
import { eventsOf, holdfast, Program, type Ran, Site } from "../faults/program.ts";
import { canRun } from "../faults/requirements.ts";
import { changeSource, describeTree } from "../faults/sourceTree.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import { randomFrom } from "../fidelity/random.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const kills = Number(process.env.HOLDFAST_KILLS ?? 12);
const random = randomFrom(seed);
const replicaId = "cd".repeat(16);

describe(`restore-from (seed ${seed})`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-restore-from-"));
  const source = join(scratch, "source");
  const replica = join(scratch, "replica");
  const key = join(scratch, "site", "gateway-recovery-key");
  /** Trees of the two snapshots. */
  const trees: Map<string, string>[] = [];
  const snapshots: string[] = [];
  let site: Site;
  let made = 0;

  beforeAll(async () => {
    mkdirSync(source);
    site = await Site.create(join(scratch, "site"));
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 4; i++) changeSource(source, random, round * 2 + i);
      trees.push(describeTree(source));
      snapshots.push((await site.backup([source])).snapshot);
    }
    await site.stop();
    await markFolder(replica);
    expect(await replicate(site.data)).toEqual([undefined]);
    renameSync(site.data, join(scratch, "burnt"));
  });

  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** By the product's own engine, in this process. Answers the failures of all runs. */
  async function replicate(data: string, takeOver = false): Promise<(string | undefined)[]> {
    const options = { logger: pino({ level: "silent" }), now: () => new Date(), version: "test" };
    const gateway = await Gateway.open(data, options);
    try {
      if (gateway.catalog.replicas.get(replicaId) === undefined) {
        gateway.catalog.replicas.add({
          ...{ id: replicaId, url: `file://${replica}`, name: "disk", options: {}, conditionalPuts: true },
          ...{ notes: [], writer: "12".repeat(16), bandwidth: "", schedule: "", parallel: 4 },
          created: new Date().toISOString(),
        });
      }
      const reports = await gateway.replication.run({ replica: replicaId, takeOver });
      return reports.map(({ failure }) => failure?.code);
    } finally {
      await gateway.close();
    }
  }

  const newFolder = (): string => join(scratch, `new ${made++}`);
  const command = (data: string, ...more: string[]): string[] => [
    ...["gateway", "restore-from", `file://${replica}`, "--data", data],
    ...["--recovery-key-file", key, "--json", ...more],
  ];
  const restore = async (data: string, ...more: string[]): Promise<Record<string, unknown>> =>
    eventsOf(await holdfast(command(data, ...more))).at(-1) as Record<string, unknown>;
  const status = async (data: string) =>
    JSON.parse((await holdfast(["gateway", "status", "--data", data, "--json"])).stdout) as {
      vaults: { fetch_packs: number; fetch_bytes: number; snapshots: number }[];
    };

  async function expectWhole(restored: Site, snapshot: string, tree: Map<string, string>): Promise<void> {
    const target = newFolder();
    await restored.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(tree);
    rmSync(target, { recursive: true, force: true });
  }

  it("tells what would come back, and writes nothing", async () => {
    const data = newFolder();
    const events = eventsOf(await holdfast(command(data, "--dry-run")));
    expect(events[0]).toMatchObject({ event: "plan", accounts: 1, devices: 1, vaults: [{ snapshots: 2 }] });
    expect(events.at(-1)).toMatchObject({ event: "done", dry_run: true });
    expect(existsSync(data)).toBe(false);
  });

  it("refuses an account's recovery key, and a place where no gateway is", async () => {
    const wrong = await holdfast(
      [
        ...["gateway", "restore-from", `file://${replica}`, "--data", newFolder()],
        ...["--recovery-key-file", site.recoveryKeyFile, "--json"],
      ],
      { statuses: [1] },
    );
    expect(eventsOf(wrong).at(-1)).toMatchObject({ event: "error", code: "key-wrong" });
    const empty = join(scratch, "empty");
    await markFolder(empty);
    const none = await holdfast(
      [
        ...["gateway", "restore-from", `file://${empty}`, "--data", newFolder()],
        ...["--recovery-key-file", key, "--json"],
      ],
      { statuses: [1] },
    );
    expect(eventsOf(none).at(-1)).toMatchObject({ event: "error", code: "not-found" });
  });

  it("the agent goes on with it: old snapshots from the replica alone, deduplication, a new snapshot", async () => {
    const data = newFolder();
    expect(await restore(data, "--keep-remote")).toMatchObject({
      event: "done",
      damage: [],
      replica: "disk",
    });
    const restored = site.with({ data, state: site.state });
    await restored.start();
    try {
      expect(await restored.snapshots()).toEqual(snapshots.toReversed());
      for (const [i, snapshot] of snapshots.entries()) await expectWhole(restored, snapshot, trees[i]!);
      expect((await status(data)).vaults[0]).toMatchObject({ fetch_packs: 0 });
      const again = await restored.backup([source]);
      // Pages of the folders above the source, whose times changed.
      expect(again.sent_bytes).toBeLessThan(64 * 1024);
      await expectWhole(restored, again.snapshot, trees[1]!);
    } finally {
      await restored.stop();
    }
    expect(dataPacks(restored)).toBeLessThan(
      dataPacks(site.with({ data: join(scratch, "burnt"), state: site.state })),
    );
  });

  /** Packs in a data directory's vault. */
  function dataPacks({ vaultFolder }: Site): number {
    const names = readdirSync(join(vaultFolder, "packs"), { recursive: true, encoding: "utf8" });
    return names.filter((name) => /[0-9a-f]{64}$/.test(name)).length;
  }

  it("content comes back in the background, and is then read without the replica", async () => {
    const data = newFolder();
    await restore(data);
    const restored = site.with({ data, state: site.state });
    await restored.start();
    const away = `${replica}.away`;
    try {
      while ((await status(data)).vaults.some((vault) => vault.fetch_packs > 0)) await sleep(50);
      renameSync(replica, away);
      // What was read before would come from the agent's own cache.
      rmSync(join(restored.state, "cache"), { recursive: true, force: true });
      for (const [i, snapshot] of snapshots.entries()) await expectWhole(restored, snapshot, trees[i]!);
    } finally {
      if (existsSync(away)) renameSync(away, replica);
      await restored.stop();
    }
  });

  it.skipIf(!canRun("a drive over a restored gateway", "mount"))(
    "its drive shows everything at once, read through to the replica",
    async () => {
      const [data, point] = [newFolder(), newFolder()];
      mkdirSync(point);
      await restore(data, "--keep-remote");
      const drive = new Program([
        ...["gateway", "mount", point, "--foreground", "--data", data, "--account", "alice"],
        ...["--password-file", site.passwordFile, "--json"],
      ]);
      try {
        while (!drive.stdout.includes('"mounted"')) {
          if (!drive.running) throw new Error((await drive.ended).stderr);
          await sleep(20);
        }
        const times = join(point, "alice/laptop/files");
        const names = readdirSync(times)
          .filter((name) => name !== "latest")
          .sort();
        expect(names).toHaveLength(2);
        for (const [i, name] of names.entries()) {
          expect(describeTree(join(times, name, source))).toEqual(trees[i]);
        }
      } finally {
        expect((await drive.end("SIGTERM")).status).toBe(0);
      }
    },
  );

  it(`killed ${kills} times at random points, it goes on and is whole in the end`, async () => {
    let data = newFolder();
    const begun = performance.now();
    await restore(data);
    // Kills fall anywhere between the start of the program and a little behind its end.
    const usualMs = performance.now() - begun;
    data = newFolder();
    let killed = 0;
    let whole = 0;
    while (killed < kills || whole === 0) {
      const program = new Program(command(data));
      await Promise.race([program.ended, sleep(random.below(Math.ceil(usualMs * 1.2)))]);
      const ran: Ran = killed < kills ? await program.end("SIGKILL") : await program.ended;
      if (ran.status === null) {
        killed++;
        const gateway = await holdfast(["gateway", "status", "--data", data, "--json"], { statuses: [0, 1] });
        if (gateway.status === 1) {
          expect(eventsOf(gateway).at(-1)).toMatchObject({ code: "data-dir-invalid" });
          continue;
        }
      } else if (ran.status !== 0) {
        // It was whole before, but for the mark that the kill left.
        expect(eventsOf(ran).at(-1)).toMatchObject({ event: "error", code: "exists" });
      }
      whole++;
      await expectWholeAt(data);
      rmSync(data, { recursive: true, force: true });
      data = newFolder();
    }
  });

  it("writes to the replica when it is told to take over; then the old box stops there", async () => {
    const data = newFolder();
    await restore(data);
    const restored = site.with({ data, state: site.state });
    await restored.start();
    // The agent has made a snapshot since, that went with a gateway of an earlier test.
    const refused = await restored.runAgent(["backup", source, "--json"], { statuses: [1] });
    expect(eventsOf(refused).at(-1)).toMatchObject({ code: "rollback-detected" });
    const { snapshot } = await restored.backup([source, "--accept-older"]);
    await restored.stop();
    expect(await replicate(data)).toContain("replica-fenced");
    expect(await replicate(data, true)).toEqual([undefined]);
    expect(await replicate(join(scratch, "burnt"))).toContain("replica-fenced");
    const second = newFolder();
    await restore(second);
    const other = site.with({ data: second, state: site.state });
    await other.start();
    try {
      expect(await other.snapshots()).toEqual([snapshot, ...snapshots.toReversed()]);
      await expectWhole(other, snapshot, trees[1]!);
    } finally {
      await other.stop();
    }
  });

  async function expectWholeAt(data: string): Promise<void> {
    const restored = site.with({ data, state: site.state });
    await restored.start();
    try {
      expect(await restored.snapshots()).toEqual(snapshots.toReversed());
      await expectWhole(restored, snapshots[1]!, trees[1]!);
    } finally {
      await restored.stop();
    }
  }
});
