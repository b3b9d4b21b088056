// A gateway's data or a device's key on a disk that is to be read everywhere: exFAT keeps nobody out, and has no sockets.

import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { initDataDir } from "../../gateway/dataDir.ts";
import { demandFileSystem, lookName } from "../../gateway/fileSystemNeeds.ts";
import { makeDirectory, readMark } from "../../gateway/replica/restore/restoreMark.ts";
import { checkTarget } from "../../gateway/seed/prepare/target.ts";
import {
  done,
  enroll,
  enrollArguments,
  holdfast,
  lastEvent,
  openSite,
  undoneAfterAll,
} from "../e2e/program.ts";
import { seededBytes } from "../vault/seeded.ts";
import { createExfatDisk, mountImage } from "./loopDisk.ts";
import { canRun } from "./requirements.ts";
import { tearDownAll } from "./tearDown.ts";

describe.runIf(canRun("exFAT", "losetup", "mkfs.exfat", "mount.exfat-fuse"))("exFAT", () => {
  const finished = undoneAfterAll();
  afterAll(tearDownAll);

  it("is no place for a gateway's data, and none for a device's key that others could read", async () => {
    const site = await openSite(finished);
    const { folder } = createExfatDisk(site.folder, "stick", 64);
    const data = join(folder, "data");
    const init = ["gateway", "init", "--data", data, "--listen", "127.0.0.1:0"];
    const refused = await holdfast(...init, "--recovery-key-file", join(site.folder, "rk"));
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toMatch(/keeps nobody out .*mode 777.* ext4, XFS, Btrfs or ZFS/);
    expect(readdirSync(data)).toEqual([]);
    expect(existsSync(join(site.folder, "rk"))).toBe(false);

    const unenrolled = await holdfast(...enrollArguments({ ...site, folder }, "laptop"));
    expect(unenrolled.status).toBe(1);
    expect(unenrolled.stderr).toMatch(/this device's key would be there.*--state.*umask=077/);
    expect(readdirSync(join(folder, "state-laptop"))).toEqual(["lock"]);
    // The gateway has not heard of it: the name is free.
    expect(await done("device", "list", "--data", site.data)).not.toContain("laptop");
  });

  it("mounted for its owner alone takes keys, but no gateway", async () => {
    const site = await openSite(finished);
    const { folder } = createExfatDisk(site.folder, "own", 64, ["-o", "umask=077"]);
    await enroll({ ...site, folder }, "laptop");
    const noSockets = { code: "unsupported", message: expect.stringContaining("no Unix sockets (E") };
    const directory = (name: string): string => {
      mkdirSync(join(folder, name));
      return join(folder, name);
    };
    await expect(demandFileSystem(directory("a"))).rejects.toMatchObject(noSockets);
    await expect(checkTarget(directory("b"))).rejects.toMatchObject(noSockets);
    await expect(makeDirectory(directory("c"))).rejects.toMatchObject(noSockets);
    for (const name of ["a", "b", "c"]) expect(readdirSync(join(folder, name))).toEqual([]);
  });

  it("takes files of several names under each, and what cannot be there is named", async () => {
    const site = await openSite(finished);
    const state = await enroll(site, "laptop");
    const source = join(site.folder, "source");
    mkdirSync(join(source, "inner"), { recursive: true });
    const small = seededBytes("small", 700);
    const large = seededBytes("large", 3 * 2 ** 20);
    writeFileSync(join(source, "small"), small);
    writeFileSync(join(source, "large"), large);
    for (const name of ["small", "large"])
      for (const other of ["a", "z"]) linkSync(join(source, name), join(source, "inner", other + name));
    symlinkSync("small", join(source, "symbolic"));
    await done("agent", "backup", source, "--state", state);
    const { folder } = createExfatDisk(site.folder, "disk", 64);
    const target = join(folder, "restored");
    const restore = ["agent", "restore", "latest", "--target", target, "--state", state, "--json"];
    const first = await holdfast(...restore);
    expect(first.status).toBe(3);
    const there = join(target, source);
    const expectAll = (): void => {
      for (const name of ["small", "inner/asmall", "inner/zsmall"])
        expect(readFileSync(join(there, name)).equals(small)).toBe(true);
      for (const name of ["large", "inner/alarge", "inner/zlarge"])
        expect(readFileSync(join(there, name)).equals(large)).toBe(true);
    };
    expectAll();
    expect(first.stdout.match(/a hard link cannot be made here.*a file of its own/g)).toHaveLength(4);
    expect(first.stdout).toMatch(/symbolic.*a symbolic link cannot be made here/);
    expect(lastEvent(first.stdout)).toMatchObject({ event: "done", files: 6 });
    const second = await holdfast(...restore);
    expect(lastEvent(second.stdout)).toMatchObject({ event: "done", files: 6, reused: 6 });
    expectAll();
  });

  it("takes the first of names that differ by case, and the others are told of; elsewhere all are restored", async () => {
    const site = await openSite(finished);
    const state = await enroll(site, "laptop");
    const source = join(site.folder, "source");
    const files: Record<string, Buffer> = {
      File: seededBytes("File", 900),
      file: seededBytes("file", 900),
      LARGE: seededBytes("LARGE", 3 * 2 ** 20),
      large: seededBytes("large", 3 * 2 ** 20),
      Éa: Buffer.from("É"),
      éa: Buffer.from("é"),
      "Folder/inner": Buffer.from("capital"),
      "folder/other": Buffer.from("small"),
      lonely: Buffer.from("lonely"),
    };
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(source, name)), { recursive: true });
      writeFileSync(join(source, name), bytes);
    }
    await done("agent", "backup", source, "--state", state);
    const lost = ["file", "folder", "large", "éa"];
    const { folder } = createExfatDisk(site.folder, "disk", 64);
    for (const again of [false, true]) {
      const target = join(folder, "restored");
      const restore = [
        "agent",
        "restore",
        "latest",
        "--target",
        target,
        "--state",
        state,
        "--json",
        "--delete",
      ];
      const ran = await holdfast(...restore);
      expect(ran.status).toBe(3);
      const refused = ran.stdout
        .split("\n")
        .filter((line) => line.includes("does not tell it apart"))
        .map((line) => basename((JSON.parse(line) as { path: string }).path));
      expect(refused).toEqual(lost);
      const names = Object.keys(files).filter((name) => !lost.includes(name.split("/")[0] as string));
      for (const name of names)
        expect(readFileSync(join(target, source, name)).equals(files[name]!)).toBe(true);
      expect(readdirSync(join(target, source)).sort()).toEqual(["File", "Folder", "LARGE", "lonely", "Éa"]);
      expect(lastEvent(ran.stdout)).toMatchObject({ files: 5, ...(again && { reused: 5 }) });
    }
    const all = join(site.folder, "all");
    await done("agent", "restore", "latest", "--target", all, "--state", state);
    for (const [name, bytes] of Object.entries(files))
      expect(readFileSync(join(all, source, name)).equals(bytes)).toBe(true);
  });

  it("numbers files anew, so that a source is read each time, which is said; with --ignore-inode only what changed is", async () => {
    const site = await openSite(finished);
    const state = await enroll(site, "laptop");
    const image = join(site.folder, "disk.img");
    let disk = createExfatDisk(site.folder, "disk", 64);
    const source = join(disk.folder, "source");
    const files = Array.from({ length: 40 }, (_, i) => join(source, `f${String(i).padStart(2, "0")}`));
    mkdirSync(source);
    const anHourAgo = Date.now() / 1000 - 3600;
    for (const file of files) {
      writeFileSync(file, seededBytes(file, 5000));
      utimesSync(file, anHourAgo, anHourAgo);
    }
    const order = [...files];
    /** The driver numbers files as it meets them: another way round each time. */
    const numberAnew = (): void => {
      disk.unmount();
      disk = mountImage(image, disk.folder, [], "mount.exfat-fuse");
      for (const file of order.reverse()) lstatSync(file);
    };
    const backUp = (...options: string[]) => done("agent", "backup", source, "--state", state, ...options);
    expect(await backUp()).toMatch(/40 files read/);
    numberAnew();
    const told = await backUp();
    expect(told).toMatch(/40 files read/);
    expect(told).toMatch(/40 were as before but for their inodes.*--ignore-inode/);
    numberAnew();
    expect(lastEvent(await backUp("--json"))).toMatchObject({ files_read: 40, files_renumbered: 40 });
    numberAnew();
    const kept = await backUp("--ignore-inode", "--json");
    expect(lastEvent(kept)).toMatchObject({ files: 40, files_read: 0, files_renumbered: 0, sent_bytes: 0 });
    numberAnew();
    writeFileSync(files[7]!, seededBytes("other", 5000));
    expect(lastEvent(await backUp("--ignore-inode", "--json"))).toMatchObject({ files: 40, files_read: 1 });
    const target = join(site.folder, "restored");
    await done("agent", "restore", "latest", "--target", target, "--state", state);
    for (const file of files) expect(readFileSync(join(target, file)).equals(readFileSync(file))).toBe(true);
  });
});

it("what was killed while it looked is in nobody's way", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-look-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, lookName, "more"), { recursive: true });
  expect(await readMark(folder, "file:///replica")).toBeUndefined();
  expect(await checkTarget(folder)).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
  mkdirSync(join(folder, lookName));
  await initDataDir(folder, { now: new Date() });
  expect(readdirSync(folder)).not.toContain(lookName);
});
