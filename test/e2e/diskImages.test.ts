// Disk images in a snapshot, used straight from the drive: nothing is copied out first. Loop devices, qemu-nbd, 7z, debugfs, and a
// machine that boots from one, whose writes go into an overlay.

import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { done, enroll, mountsBelow, openSite, Program } from "./program.ts";

const ready = canRun(
  "disk images from a drive",
  ...["mount", "losetup", "mke2fs", "debugfs", "sfdisk", "7z", "qemu-img", "qemu-nbd", "qemu-system-x86_64"],
);

const MiB = 2 ** 20;
const sectorBytes = 512;
const message = "booted from a snapshot\n";
/** What QEMU ends with when the code says that a read or write failed. */
const failedStatus = 3;

/**
 * Code of a boot sector, for the 8086: reads the second sector, sends its text to the serial port, writes it into the third sector,
 * and turns the machine off.
 */
function bootCode(): Buffer {
  const sector = (command: number, number: number): number[] => [
    ...[0xb8, 0x01, command], // mov ax: command, one sector
    ...[0xbb, 0x00, 0x80, 0xb9, number, 0x00, 0xb6, 0x00], // mov bx, 8000h; mov cx, sector; mov dh, 0
    ...[0xcd, 0x13], // int 13h
  ];
  const start = [
    ...[0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0], // cli; ds = es = ss = 0
    ...[0xbc, 0x00, 0x7c, 0xfb, 0xfc, 0x52], // mov sp, 7c00h; sti; cld; push dx (the drive)
    ...sector(0x02, 2),
  ];
  const send = [
    ...[0xbe, 0x00, 0x80, 0xac, 0x84, 0xc0, 0x74, 0x06], // mov si, 8000h; next: lodsb; test al, al; jz on
    ...[0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf5], // mov dx, 3f8h; out dx, al; jmp next
    ...[0x5a, ...sector(0x03, 3)], // on: pop dx
  ];
  const stop = [0xf4, 0xeb, 0xfd]; // hlt, and again
  const well = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, ...stop]; // ACPI: mov dx, 604h; mov ax, 2000h; out dx, ax
  const failed = [0xb0, (failedStatus - 1) / 2, 0xe6, 0xf4, ...stop]; // QEMU's isa-debug-exit: mov al; out f4h, al
  const jumpIfCarry = (bytes: number): number[] => [0x72, bytes];
  return Buffer.from([
    ...start,
    ...jumpIfCarry(send.length + 2 + well.length),
    ...send,
    ...jumpIfCarry(well.length),
    ...well,
    ...failed,
  ]);
}

describe.skipIf(!ready)("disk images from a drive", () => {
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-images-") : "";
  const [images, content, point, mounted] = ["images", "content", "drive", "mounted"].map((name) =>
    join(base, name),
  ) as [string, string, string, string];
  const last: (() => void | Promise<void>)[] = [];
  const undo: (() => void | Promise<void>)[] = [];
  let plain: string;
  let disk: string;

  beforeAll(async () => {
    for (const folder of [images, content, point, mounted]) fs.mkdirSync(folder);
    makeImages();
    const site = await openSite((step) => last.push(step));
    const state = await enroll(site, "laptop");
    await done("agent", "backup", images, "--item", "images", "--state", state);
    await done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password);
    const drive = new Program(["gateway", "mount", point, "--data", site.data, "--foreground"]);
    last.push(async () => {
      await drive.stop("SIGTERM");
      if (mountsBelow(base).includes(point)) run("umount", ["-l", point], "/");
    });
    await drive.printed(/The drive is at/);
    const seen = join(point, "alice/laptop/images/latest", images);
    plain = join(seen, "ext4.img");
    disk = join(seen, "disk.img");
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
    expect(mountsBelow(base).filter((path) => path !== point)).toEqual([]);
    expect(run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], "/").includes(base)).toBe(
      false,
    );
  });
  afterAll(async () => {
    for (const step of last.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  /** An ext4, and a disk of two partitions (the second an ext4) that boots. */
  function makeImages(): void {
    fs.mkdirSync(join(content, "etc"));
    fs.writeFileSync(join(content, "etc/hosts"), "127.0.0.1 localhost\n");
    for (let i = 0; i < 200; i++) fs.writeFileSync(join(content, `${i}`), `${i} `.repeat(i * 40));
    fs.symlinkSync("etc/hosts", join(content, "link"));
    const ext4 = join(images, "ext4.img");
    fs.writeFileSync(ext4, "");
    fs.truncateSync(ext4, 48 * MiB);
    run("mke2fs", ["-q", "-F", "-t", "ext4", "-d", content, ext4], base);
    const whole = join(images, "disk.img");
    fs.writeFileSync(whole, "");
    fs.truncateSync(whole, 80 * MiB);
    run("sfdisk", ["-q", whole], base, Buffer.from("label: dos\n2048,8192,7\n12288,98304,83,*\n"));
    run("dd", [`if=${ext4}`, `of=${whole}`, "bs=1M", "seek=6", "conv=notrunc,sparse", "status=none"], base);
    const fd = fs.openSync(whole, "r+");
    fs.writeSync(fd, bootCode(), 0, undefined, 0);
    fs.writeSync(fd, Buffer.from(`${message}\0`), 0, undefined, sectorBytes);
    fs.closeSync(fd);
  }

  /** Attaches a loop device, mounts it and compares what is in it. */
  function compareMounted(image: string, ...where: string[]): void {
    const device = run("losetup", ["--find", "--show", "--read-only", ...where, image], base)
      .toString()
      .trim();
    undo.push(() => void run("losetup", ["--detach", device], base));
    run("mount", ["-o", "ro", device, mounted], base);
    undo.push(() => void run("umount", [mounted], base));
    run("diff", ["-r", "--no-dereference", "--exclude=lost+found", content, mounted], base);
    expect(() => fs.writeFileSync(join(mounted, "new"), "")).toThrow(/EROFS/);
    expect(run("blockdev", ["--getro", device], base).toString()).toBe("1\n");
  }

  it("shows them as the files they were", () => {
    run("cmp", [join(images, "ext4.img"), plain], base);
    run("cmp", [join(images, "disk.img"), disk], base);
  });

  it("mounts an ext4 by a loop device", () => {
    compareMounted(plain);
  });

  it("mounts a partition of a disk by a loop device with an offset", () => {
    const table = JSON.parse(run("sfdisk", ["--json", disk], base).toString()) as {
      partitiontable: { partitions: { start: number; size: number }[] };
    };
    const { start = 0, size = 0 } = table.partitiontable.partitions[1] ?? {};
    compareMounted(disk, "--offset", `${start * sectorBytes}`, "--sizelimit", `${size * sectorBytes}`);
  });

  it("serves one as a network block device", async () => {
    const socket = join(base, "nbd");
    const options = ["--read-only", "--persistent", "--format=raw", `--socket=${socket}`, disk];
    const server = spawn("qemu-nbd", options, { stdio: "inherit" });
    const ended = new Promise((resolve) => server.once("close", resolve));
    undo.push(async () => {
      server.kill("SIGTERM");
      await ended;
    });
    while (!fs.existsSync(socket)) {
      if (server.exitCode !== null) throw new Error("qemu-nbd did not start");
      await pause(20);
    }
    const url = `nbd+unix:///?socket=${socket}`;
    const compared = run(
      "qemu-img",
      ["compare", "-f", "raw", "-F", "raw", url, join(images, "disk.img")],
      base,
    );
    expect(compared.toString()).toContain("Images are identical.");
    const text = run("qemu-io", ["-r", "-f", "raw", "-c", `read -v ${sectorBytes} 32`, url], base).toString();
    expect(text).toContain("booted.from.a.sn");
  });

  it("lets 7z and debugfs take files out", () => {
    expect(run("7z", ["l", plain], base).toString()).toContain("etc/hosts");
    expect(run("7z", ["e", "-so", plain, "etc/hosts"], base).toString()).toBe("127.0.0.1 localhost\n");
    run("7z", ["x", "-y", "-bd", `-o${join(base, "unpacked")}`, plain], base);
    run(
      "diff",
      [
        "-r",
        "--no-dereference",
        "--exclude=lost+found",
        "--exclude=\\[SYS\\]",
        "--exclude=link",
        content,
        join(base, "unpacked"),
      ],
      base,
    );
    expect(run("7z", ["l", disk], base).toString()).toMatch(/1\.(img|.*)/);
    const cat = (image: string): string =>
      run("debugfs", ["-c", "-R", "cat /etc/hosts", image], base).toString();
    expect(cat(plain)).toBe("127.0.0.1 localhost\n");
    expect(cat(`${disk}?offset=${6 * MiB}`)).toBe("127.0.0.1 localhost\n");
  });

  it("boots one; what the machine writes goes into an overlay", () => {
    const overlay = join(base, "overlay.qcow2");
    run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", overlay], base);
    const serial = join(base, "serial");
    const { status, stderr } = spawnSync(
      "qemu-system-x86_64",
      [
        ...["-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-no-reboot"],
        ...["-drive", `file=${overlay},format=qcow2,if=ide`, "-serial", `file:${serial}`],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
      ],
      { encoding: "utf8", timeout: 120_000 },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(fs.readFileSync(serial, "latin1")).toBe(message);
    const third = (file: string, format: string): string =>
      run("qemu-io", ["-r", "-f", format, "-c", `read -v ${2 * sectorBytes} 32`, file], base).toString();
    expect(third(overlay, "qcow2")).toContain("booted.from.a.sn");
    expect(third(disk, "raw")).not.toContain("booted");
    run("cmp", [join(images, "disk.img"), disk], base);
    expect(fs.statSync(overlay).blocks * 512).toBeLessThan(2 * MiB);
  });
});
