// A gateway smaller than what it keeps, by real processes: packs evicted by the command, with and without a running gateway; the drive,
// backups, checks and restores over what is in a replica alone; the replica taken away and brought back under a mounted drive.

import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventsOf, holdfast, Site } from "../faults/program.ts";
import { canRun } from "../faults/requirements.ts";
import { describeTree } from "../faults/sourceTree.ts";
import { onTearDown, runTool, tearDownAll } from "../faults/tearDown.ts";
import { randomFrom } from "../fidelity/random.ts";

const MiB = 2 ** 20;
const block = 4096;
const seed = Number(process.env.HOLDFAST_SEED ?? 77);
const ready = canRun("a drive over evicted packs", "mount");

describe.skipIf(!ready)(`an evicted gateway (seed ${seed})`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-evicted-"));
  const source = join(scratch, "source");
  const point = join(scratch, "drive");
  const seen = join(point, "alice/laptop/files/latest", source);
  const random = randomFrom(seed);
  let site: Site;
  const replica = join(scratch, "replica");

  beforeAll(async () => {
    site = await Site.create(join(scratch, "site"));
    mkdirSync(join(source, "small"), { recursive: true });
    mkdirSync(point);
    writeFileSync(join(source, "image"), random.bytes(70 * MiB));
    for (let i = 0; i < 40; i++)
      writeFileSync(join(source, `small/${i}`), random.bytes(1000 + random.below(90_000)));
    await site.backup([source]);
    const data = ["--data", site.data];
    await holdfast(["replica", "add", "disk", pathToFileURL(replica).href, ...data]);
    await holdfast(["replica", "run", "disk", ...data]);
    await site.stop();
  });
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  const packsHere = (): string[] =>
    readdirSync(join(site.vaultFolder, "packs"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.includes("/"),
    );
  const evict = async (...args: string[]) =>
    eventsOf(
      await holdfast(["gateway", "evict", "--data", site.data, "--json", ...args], { statuses: [0, 3] }),
    ).at(-1) as Record<string, unknown>;

  it("says first what would go, keeps what it is told to keep, and then lets all content go", async () => {
    const before = packsHere();
    const dry = await evict("--keep", "0", "--dry-run");
    const packs = { evicted_packs: before.length - 1, local_packs: 0, stayed: [] };
    expect(dry).toMatchObject({ event: "done", dry_run: true, ...packs });
    expect(packsHere()).toEqual(before);

    const some = await evict("--keep", "40MiB");
    expect(some).toMatchObject({ stayed: [] });
    expect(some.local_bytes).toBeLessThanOrEqual(40 * MiB);
    expect(some.local_packs).toBeGreaterThan(0);

    await site.start();
    const rest = await evict("--keep", "0");
    expect(rest).toMatchObject({ local_packs: 0, stayed: [] });
    expect(packsHere(), "the one of folders and names").toHaveLength(1);
    const help = await holdfast(["gateway", "evict", "--data", site.data], { statuses: [2] });
    expect(help.stderr).toContain("--keep is needed");
  });

  it("shows it all in the drive, and reads again without a new mount when the replica was away", async () => {
    const data = ["--data", site.data];
    await holdfast(["vault", "unlock", "alice", ...data, "--password-file", site.passwordFile]);
    await holdfast(["gateway", "mount", point, ...data]);
    const mounted = onTearDown(() => runTool("umount", "-l", point));
    const image = readFileSync(join(source, "image"));
    const fd = openSync(join(seen, "image"), "r");
    const bytes = Buffer.alloc(block);
    const readAt = (at: number): string => {
      try {
        readSync(fd, bytes, 0, block, at);
        expect(bytes.equals(image.subarray(at, at + block)), `other bytes at ${at}`).toBe(true);
        return "same";
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EIO") return "EIO";
        throw error;
      }
    };
    for (let i = 0; i < 5; i++) expect(readAt(random.below(8 * MiB))).toBe("same");
    renameSync(replica, `${replica}-away`);
    rmSync(join(site.data, "cache"), { recursive: true, force: true });
    const away = new Set<string>();
    for (let at = 40 * MiB; at < 70 * MiB; at += MiB) away.add(readAt(at));
    expect(away).toContain("EIO");
    for (let i = 0; i < 40; i++) expect(existsSync(join(seen, `small/${i}`))).toBe(true);
    renameSync(`${replica}-away`, replica);
    for (const until = Date.now() + 60_000; readAt(69 * MiB) !== "same" && Date.now() < until; )
      await sleep(200);
    for (let at = 0; at < 70 * MiB; at += 64 * 1024) expect(readAt(at)).toBe("same");
    closeSync(fd);
    runTool("cmp", join(source, "image"), join(seen, "image"));
    expect(describeTree(seen)).toEqual(describeTree(source));
    const log = (await site.gateway.end("SIGTERM")).stderr;
    mounted();
    expect(log).toContain("replica-unreachable");
    expect(log).toContain("replica-away");
    expect(log).toContain("replica-back");
    await site.start();
  });

  it("deduplicates against what is not here, checks it and restores it", async () => {
    writeFileSync(join(source, "small/new"), random.bytes(300_000));
    const done = await site.backup([source]);
    expect(done.new_chunks).toBeLessThan(10);
    expect(done.sent_bytes).toBeLessThan(2 * MiB);
    rmSync(join(site.data, "cache"), { recursive: true, force: true });
    await site.runAgent(["check", done.snapshot, "--read-data", "100%"]);
    rmSync(join(site.data, "cache"), { recursive: true, force: true });
    const target = join(scratch, "restored");
    await site.runAgent(["restore", `${done.snapshot}:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(describeTree(source));
  });

  it("fails a restore's files while the replica is away, takes nothing for damaged, and restores when it is back", async () => {
    await site.stop();
    rmSync(join(site.data, "cache"), { recursive: true, force: true });
    await site.start();
    renameSync(replica, `${replica}-away`);
    const target = join(scratch, "restored again");
    const args = ["restore", `latest:${source}`, "--target", target];
    const failed = await site.runAgent(args, { statuses: [1, 3] });
    expect(failed.stderr).toContain("a replica alone");
    const checked = await site.runAgent(["check", "latest", "--read-data", "100%"], { statuses: [1, 3] });
    expect(checked.stderr).toContain("a replica alone");
    renameSync(`${replica}-away`, replica);
    await sleep(2500);
    await site.runAgent([...args, "--overwrite", "always"]);
    expect(describeTree(target)).toEqual(describeTree(source));
    const again = await site.backup([source]);
    expect(again.sent_bytes, "nothing was quarantined, so nothing but pages is sent").toBeLessThan(100_000);
    await site.runAgent(["check", again.snapshot, "--read-data", "100%"]);
  });

  it("brings back what is nowhere else before a replica is removed", async () => {
    const data = ["--data", site.data];
    await holdfast(["replica", "run", "disk", ...data]);
    await evict("--keep", "0");
    const before = packsHere().length;
    await holdfast(["replica", "remove", "disk", ...data]);
    rmSync(replica, { recursive: true });
    expect(packsHere().length).toBeGreaterThanOrEqual(before + 3);
    await site.runAgent(["check", "latest", "--read-data", "100%"]);
    const nothing = await evict("--keep", "0");
    expect(nothing).toMatchObject({ evicted_packs: 0 });
    expect(nothing.stayed).toMatchObject([{ why: "not-replicated" }]);
  });
});
