// A drive among its users: many readers at once whose bytes fio verifies, an end by any signal, a daemon that is killed while it is
// read, several drives of one vault.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { randomFrom } from "../fidelity/random.ts";
import { run } from "../fidelity/tool.ts";
import { sh } from "../fs/fuse/mounting.ts";
import { done, enroll, lastEvent, mountsBelow, openSite, Program, type Site } from "./program.ts";

const MiB = 2 ** 20;
const seed = Number(process.env.HOLDFAST_SEED ?? 31);
const ready = canRun("drives among their users", "mount", "fio");

describe.skipIf(!ready)(`a drive among its users (seed ${seed})`, () => {
  const undo: (() => void | Promise<void>)[] = [];
  let site: Site;
  let state: string;
  let source: string;
  const verified = ["--name=verified", "--verify=crc32c", "--bs=64k", `--size=${24 * MiB}`, "--thread"];

  beforeAll(async () => {
    site = await openSite((step) => undo.push(step));
    state = await enroll(site, "laptop");
    source = join(site.folder, "source");
    fs.mkdirSync(source);
    fs.writeFileSync(join(source, "random"), randomFrom(seed).bytes(24 * MiB));
    for (let i = 0; i < 64; i++)
      fs.writeFileSync(join(source, `part${i}`), randomFrom(seed + i).bytes(200_000 + i));
    fs.linkSync(join(source, "part0"), join(source, "alias"));
    run(
      "fio",
      [...verified, "--filename=verified", "--rw=write", "--do_verify=0", "--output=/dev/null"],
      source,
    );
    await done("agent", "backup", source, "--state", state);
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });

  async function mount(name: string): Promise<{ drive: Program; point: string; seen: string }> {
    const point = join(site.folder, name);
    // What is left of a killed one cannot even be looked at.
    if (!mountsBelow(site.folder).includes(point)) fs.mkdirSync(point, { recursive: true });
    const drive = new Program(["agent", "mount", point, "--foreground", "--state", state]);
    undo.push(async () => {
      await drive.stop("SIGKILL");
    });
    await drive.printed(/The drive is at/);
    return { drive, point, seen: join(point, "alice/laptop/files/latest", source) };
  }
  const inodes = (seen: string): string => run("find", [".", "-printf", "%P %i %n\n"], seen).toString();

  it("gives fio the bytes that it wrote, by every engine, in order and at random, to 64 readers at once", async () => {
    const { drive, seen } = await mount("readers");
    const file = [...verified, `--filename=${join(seen, "verified")}`, "--readonly", "--verify_fatal=1"];
    for (const job of [
      ["--rw=read", "--ioengine=psync", "--numjobs=4"],
      ["--rw=randread", "--ioengine=psync", "--numjobs=4"],
      ["--rw=randread", "--ioengine=mmap", "--numjobs=2"],
      ["--rw=read", "--ioengine=psync", "--direct=1"],
    ]) {
      const ran = await sh(`fio "$@" --output-format=terse --group_reporting 2>&1`, ...file, ...job);
      expect([job.join(" "), ran.status, ran.stdout.toString().match(/verify|error|bad/i)]).toEqual([
        job.join(" "),
        0,
        null,
      ]);
    }
    const wanted = run("sh", ["-c", "sha256sum part* random"], source).toString();
    const found = await sh(`cd "$1" && ls part* random | xargs -P 64 -n 1 sha256sum | sort -k 2`, seen);
    expect(found.stdout.toString()).toBe(
      wanted
        .split("\n")
        .toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1))
        .filter((line) => line !== "")
        .join("\n")
        .concat("\n"),
    );
    expect(await drive.stop("SIGTERM")).toMatchObject({ status: 0, stderr: "" });
  });

  it("is left out of a backup of the folder that it is in, and is a source where it is named", async () => {
    const { drive, point, seen } = await mount("holder/drive");
    const holder = join(site.folder, "holder");
    fs.writeFileSync(join(holder, "own"), "own");
    const backUp = async (...words: string[]) =>
      lastEvent(await done("agent", "backup", "--state", state, "--json", ...words));
    expect(await backUp(holder, "--item", "holder")).toMatchObject({ files: 1, bytes: 3 });
    expect(await backUp(holder, "--item", "holder", "--estimate")).toMatchObject({ files: 1, bytes: 3 });
    expect(await done("agent", "ls", `latest:${holder}`, "--item", "holder", "--state", state)).toContain(
      "drive",
    );
    const part = await backUp(join(seen, "part1"), "--item", "part");
    expect(part).toMatchObject({ files: 1, bytes: 200_001 });
    const whole = { files: fs.readdirSync(source).length };
    expect(await backUp(join(point, "alice/laptop/files/latest"), "--item", "shown")).toMatchObject(whole);
    expect(await backUp(point, "--item", "shown", "--estimate")).toMatchObject({ complete: true });
    expect(await drive.stop("SIGTERM")).toMatchObject({ status: 0 });
  });

  it("is refused to umount while it is used, and goes at SIGTERM all the same", async () => {
    const { drive, point, seen } = await mount("busy");
    const fd = fs.openSync(join(seen, "random"), "r");
    expect((await sh(`umount "$1"`, point)).stderr).toContain("busy");
    expect(await drive.stop("SIGTERM")).toMatchObject({ status: 0 });
    expect(mountsBelow(site.folder)).toEqual([]);
    expect(() => fs.fstatSync(fd) && fs.readSync(fd, Buffer.alloc(100), 0, 100, 20 * MiB)).toThrow(
      /ENOTCONN|ECONNABORTED|EIO/,
    );
    fs.closeSync(fd);
  });

  it("is unmounted when its terminal goes away, or nobody reads what it says", async () => {
    const { drive } = await mount("hangup");
    drive.child.stdout?.destroy();
    drive.child.stderr?.destroy();
    const [status, signal] = await Promise.all([once(drive.child, "exit"), drive.child.kill("SIGHUP")]).then(
      ([exit]) => exit,
    );
    expect([status, signal]).toEqual([0, null]);
    expect(mountsBelow(site.folder)).toEqual([]);
  });

  it("is mounted again after its daemon was killed under its readers", async () => {
    const { drive, point, seen } = await mount("killed");
    const readers = Array.from({ length: 8 }, () =>
      spawn("sh", ["-c", `while cat "$1"/* >/dev/null; do :; done`, "sh", seen], { stdio: "ignore" }),
    );
    const ends = readers.map((reader) => once(reader, "exit"));
    await expect.poll(() => fs.readdirSync(seen).length).toBeGreaterThan(60);
    await drive.stop("SIGKILL");
    await Promise.all(ends);
    expect(() => fs.readdirSync(point)).toThrow(/ENOTCONN/);
    const again = await mount("killed");
    expect(fs.readFileSync(join(again.seen, "random")).equals(fs.readFileSync(join(source, "random")))).toBe(
      true,
    );
    expect(await again.drive.stop("SIGINT")).toMatchObject({ status: 0 });
    expect(mountsBelow(site.folder)).toEqual([]);
  });

  it("has the same inode numbers at every place and every time, in the gateway too", async () => {
    const [one, two] = [await mount("one"), await mount("two")];
    const numbers = inodes(one.seen);
    expect(inodes(two.seen)).toBe(numbers);
    expect(await one.drive.stop("SIGTERM")).toMatchObject({ status: 0 });
    // The other one goes on.
    expect(
      createHash("sha256")
        .update(fs.readFileSync(join(two.seen, "part5")))
        .digest(),
    ).toEqual(
      createHash("sha256")
        .update(fs.readFileSync(join(source, "part5")))
        .digest(),
    );
    expect(inodes((await mount("one")).seen)).toBe(numbers);
    await done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password);
    const point = join(site.folder, "gateway-drive");
    fs.mkdirSync(point);
    await done("gateway", "mount", point, "--data", site.data);
    expect(inodes(join(point, "alice/laptop/files/latest", source))).toBe(numbers);
    expect(numbers).toMatch(/^alias (\d+) 2$/m);
    const alias = /^alias (\d+) 2$/m.exec(numbers)?.[1];
    expect(numbers).toContain(`part0 ${alias} 2\n`);
    for (const place of ["one", "two", "gateway-drive"]) run("umount", [join(site.folder, place)], "/");
  });
});
