// Whether this machine can run a fault test: a loud skip on a laptop, a failure on CI.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { namespacesMissing } from "./namespaces.ts";

/** Programs that a test needs, with the Debian package that brings each. */
const packages: Readonly<Record<string, string>> = {
  "/usr/libexec/gvfsd-dav": "gvfs-backends",
  "dbus-run-session": "dbus-daemon",
  "7z": "p7zip-full",
  bsdtar: "libarchive-tools",
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  curl: "curl",
  radosgw: "radosgw",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.exfat": "exfatprogs",
  "mount.exfat-fuse": "exfat-fuse",
  "mount.davfs": "davfs2",
  faketime: "faketime",
  fallocate: "util-linux",
  filefrag: "e2fsprogs",
  fio: "fio",
  gio: "libglib2.0-bin",
  ip: "iproute2",
  fusermount3: "fuse3",
  losetup: "mount",
  "mkfs.ext4": "e2fsprogs",
  debugfs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  mke2fs: "e2fsprogs",
  mmdebstrap: "mmdebstrap",
  mount: "mount",
  "qemu-img": "qemu-utils",
  "qemu-nbd": "qemu-utils",
  "qemu-storage-daemon": "qemu-system-common",
  "qemu-system-x86_64": "qemu-system-x86",
  sfdisk: "fdisk",
  unzip: "unzip",
  smbd: "samba",
};

function missing(programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  for (const program of programs) {
    const found = spawnSync("sh", ["-c", `command -v ${program}`], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    if (found.status !== 0) return `${program} is missing (Debian package ${packages[program] ?? program})`;
  }
  if (programs.includes("ip")) return namespacesMissing();
  if (!programs.includes("losetup")) return undefined;
  try {
    accessSync("/dev/loop-control", constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** True when `what` can run here with these outside programs, as root. On CI it throws instead of giving false. */
export function canRun(what: string, ...programs: string[]): boolean {
  const reason = missing(programs);
  if (reason === undefined) return true;
  if (process.env.CI === "true") throw new Error(`${what} cannot run: ${reason}`);
  process.stderr.write(`\n*** SKIPPED: ${what} cannot run here (${reason}) ***\n\n`);
  return false;
}
