// A whole Debian in a virtual machine, with systemd as its first process: for what a root alone cannot show. A script runs in it as root at
// every start; it may restart the machine (phase by phase) until it is done.
//
// The script is started with the number of the start, from 1. Its exit status: 0 done, 64 "I restart the machine, call me again", others
// failed. What it prints is shown as it comes. Files lie in /guest.

import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export type GuestPlan = {
  /** A sh script of this checkout. */
  readonly script: string;
  /** Files that it finds in /guest, by their own names. */
  readonly files: readonly string[];
  /** Debian packages besides a kernel, systemd and what is essential. */
  readonly packages: readonly string[];
  readonly diskMiB: number;
  /** Empty disks more, /dev/vdb and on, by their sizes in MiB. */
  readonly disksMiB: readonly number[];
  readonly timeoutMs: number;
};

const kernelPackages: readonly string[] = ["linux-image-cloud-amd64", "systemd-sysv", "udev", "dbus", "kmod"];
const mark = "GUEST-RESULT";

const unit = `[Unit]
Description=what this machine is for
After=multi-user.target network-online.target
[Service]
Type=oneshot
ExecStart=/guest/start
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
[Install]
WantedBy=default.target
`;

/** Counts the starts; what the script leaves is written to the disk before its result is told. */
const starter = (script: string): string => `#!/bin/sh
count=$(($(cat /guest/count 2>/dev/null || echo 0) + 1))
echo $count >/guest/count
sync
echo "== start $count"
sh /guest/${script} $count
status=$?
[ $status = 64 ] && exit 0
echo "${mark} $status"
sync
systemctl poweroff --no-block
`;

/** Builds the machine, runs it to its end, and says whether the script succeeded. */
export async function runGuest(plan: GuestPlan): Promise<boolean> {
  const work = mkdtempSync(join(tmpdir(), "holdfast-guest-"));
  try {
    const { kernel, initrd, disk } = buildGuest(work, plan);
    const disks = plan.disksMiB.map((sizeMiB, i) => {
      const path = join(work, `disk${i}`);
      makeDisk(path, sizeMiB);
      return path;
    });
    return await boot(work, kernel, initrd, [disk, ...disks], plan.timeoutMs);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A file that takes no room for what was never written. */
function makeDisk(path: string, sizeMiB: number): void {
  writeFileSync(path, "");
  truncateSync(path, sizeMiB * 2 ** 20);
}

function buildGuest(work: string, { script, files, packages, diskMiB }: GuestPlan) {
  const root = join(work, "root");
  const include = [...kernelPackages, ...packages].join(",");
  console.log(`building a Debian with ${include}`);
  const quick = [
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
  ];
  execFileSync(
    "mmdebstrap",
    ["--quiet", "--variant=minbase", `--include=${include}`, ...quick, "bookworm", root],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const guest = join(root, "guest");
  mkdirSync(guest);
  for (const file of [script, ...files]) copyFileSync(file, join(guest, basename(file)));
  writeFileSync(join(guest, "start"), starter(basename(script)));
  chmodSync(join(guest, "start"), 0o755);
  writeFileSync(join(root, "etc", "systemd", "system", "guest.service"), unit);
  const wants = join(root, "etc", "systemd", "system", "default.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync("/etc/systemd/system/guest.service", join(wants, "guest.service"));
  writeFileSync(join(root, "etc", "fstab"), "/dev/vda / ext4 defaults 0 1\n");
  writeFileSync(join(root, "etc", "hostname"), "guest\n");
  const boots = readdirSync(join(root, "boot"));
  const file = (prefix: string): string => {
    const name = boots.find((each) => each.startsWith(prefix));
    if (name === undefined) throw new Error(`no ${prefix} in the guest`);
    copyFileSync(join(root, "boot", name), join(work, prefix));
    return join(work, prefix);
  };
  const [kernel, initrd] = [file("vmlinuz"), file("initrd")];
  const disk = join(work, "disk.img");
  makeDisk(disk, diskMiB);
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", root, disk], { stdio: ["ignore", "ignore", "inherit"] });
  rmSync(root, { recursive: true, force: true });
  return { kernel, initrd, disk };
}

/** Starts the machine again and again, until its script is done or the time is over. A restart ends the emulator (-no-reboot). */
async function boot(
  work: string,
  kernel: string,
  initrd: string,
  disks: readonly string[],
  timeoutMs: number,
): Promise<boolean> {
  const log = join(work, "console");
  const emulated =
    "-machine q35 -accel tcg,thread=multi -cpu Westmere -smp 2 -m 2048 -display none -no-reboot";
  const words = [
    ...emulated.split(" "),
    ...["-kernel", kernel, "-initrd", initrd, "-append", "root=/dev/vda rw console=ttyS0 quiet panic=10"],
    ...["-serial", `file:${log}`, "-serial", "stdio", "-nic", "none", "-monitor", "none"],
    ...disks.flatMap((path) => ["-drive", `file=${path},format=raw,if=virtio,cache=unsafe`]),
  ];
  const endMs = performance.now() + timeoutMs;
  for (let starts = 0; starts < startsMax && performance.now() < endMs; starts++) {
    const result = resultIn(await runMachine(words, endMs - performance.now()));
    if (result === "0") return true;
    if (result !== undefined) break;
  }
  execFileSync("tail", ["-n", "40", log], { stdio: ["ignore", "inherit", "inherit"] });
  return false;
}

const startsMax = 8;

/** The script's exit status as the machine told it; undefined where it did not come to its end. */
function resultIn(said: string): string | undefined {
  return new RegExp(`^${mark} (\\d+)\\s*$`, "m").exec(said)?.[1];
}

/** Runs the emulator to its end; gives what the script said last. */
async function runMachine(words: readonly string[], timeoutMs: number): Promise<string> {
  const machine = spawn("qemu-system-x86_64", words, { stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => machine.kill("SIGKILL"), timeoutMs);
  let said = "";
  machine.stdout.setEncoding("utf8").on("data", (text: string) => {
    process.stdout.write(text);
    said = (said + text).slice(-10_000);
  });
  await new Promise((resolve) => machine.once("close", resolve));
  clearTimeout(timer);
  return said;
}
