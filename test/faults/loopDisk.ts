// Small disks for tests: an image file behind a loop device with ext4 or btrfs on it, plain or with every write logged by QEMU.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportDisk } from "./exportedDisk.ts";
import { unmountFolder } from "./mounts.ts";
import { onTearDown, runTool } from "./tearDown.ts";

/** A mounted file system; `unmount` is called at most once, and by the tear-down when the test does not come to it. */
export type Disk = { readonly folder: string; readonly unmount: () => void };

/** Attaches an image to a loop device and mounts it on `folder`, as what the kernel finds in it or with a program of its own. */
export function mountImage(
  image: string,
  folder: string,
  options: readonly string[] = [],
  program = "mount",
): Disk {
  mkdirSync(folder, { recursive: true });
  const device = runTool("losetup", "--find", "--show", image);
  let forget = (): void => {};
  const detach = (): void => {
    unmountFolder(folder);
    runTool("losetup", "--detach", device);
    forget();
  };
  forget = onTearDown(detach);
  try {
    runTool(program, ...options, device, folder);
  } catch (error) {
    detach();
    throw error;
  }
  return { folder, unmount: detach };
}

/**
 * Mounts an ext4 as a machine does that lost its power: as it is, and where the kernel will not have it, after the check that
 * every boot makes. (The log may hold a superblock that the kernel was changing while it was written: its checksum is wrong then.)
 * One without a journal is always checked.
 */
export function mountAfterPowerLoss(image: string, folder: string, journal: Journal): Disk {
  if (journal === "no journal") check(image);
  try {
    return mountImage(image, folder);
  } catch {
    check(image);
    console.log(`checked before it could be mounted: ${image}`);
    return mountImage(image, folder);
  }
}

function check(image: string): void {
  const { status, stdout } = spawnSync("e2fsck", ["-f", "-y", image], { encoding: "utf8" });
  // 0: clean, 1: corrected.
  if (status !== 0 && status !== 1) throw new Error(`e2fsck of ${image} ended with ${status}: ${stdout}`);
}

/** Without a journal a name is on the disk when its own folder was synced, and not because of something else that was. */
export type Journal = "journal" | "no journal";

/** Makes an ext4 of an image. */
export function format(image: string, journal: Journal = "journal"): void {
  // No lazy work by the kernel later: the log is to hold what the programs write.
  const options = ["-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"];
  runTool(
    "mkfs.ext4",
    "-q",
    "-F",
    ...options,
    ...(journal === "journal" ? [] : ["-O", "^has_journal"]),
    image,
  );
}

/** An empty ext4 of so many MiB. */
export function createDisk(scratch: string, name: string, mebibytes: number): Disk {
  const image = join(scratch, `${name}.img`);
  writeFileSync(image, "");
  truncateSync(image, mebibytes * 2 ** 20);
  format(image);
  return mountImage(image, join(scratch, name));
}

/** An empty btrfs of so many MiB (at least 120) that compresses all it can. */
export function createCompressingDisk(scratch: string, name: string, mebibytes: number): Disk {
  const image = join(scratch, `${name}.img`);
  writeFileSync(image, "");
  truncateSync(image, mebibytes * 2 ** 20);
  // It looks at the image of every loop disk that is mounted, and fails if one is dead, as those of other tests may be: so it is run where
  // none is mounted.
  const script = 'umount --lazy /dev/loop* 2>/dev/null; exec mkfs.btrfs -q -f "$1"';
  runTool("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", image);
  return mountImage(image, join(scratch, name), ["-o", "compress-force=zstd"]);
}

/** An empty exFAT of so many MiB: a file system without hard links, by FUSE, which kernels without exFAT have too. */
export function createExfatDisk(
  scratch: string,
  name: string,
  mebibytes: number,
  options: readonly string[] = [],
): Disk {
  const image = join(scratch, `${name}.img`);
  writeFileSync(image, "");
  truncateSync(image, mebibytes * 2 ** 20);
  runTool("mkfs.exfat", image);
  return mountImage(image, join(scratch, name), options, "mount.exfat-fuse");
}

/** A tmpfs of so many MiB. */
export function createTmpfs(folder: string, mebibytes: number): Disk {
  mkdirSync(folder, { recursive: true });
  let forget = (): void => {};
  const unmount = (): void => {
    unmountFolder(folder);
    forget();
  };
  forget = onTearDown(unmount);
  runTool("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "holdfast-test", folder);
  return { folder, unmount };
}

export type LoggedDisk = Disk & {
  /** The log of writes (writeLog.ts). */
  readonly log: string;
  readonly bytes: number;
};

/** An ext4 on a disk whose every write and flush goes into a log from the first one on. */
export async function createLoggedDisk(
  scratch: string,
  mebibytes: number,
  journal: Journal = "journal",
): Promise<LoggedDisk> {
  mkdirSync(scratch, { recursive: true });
  const [image, log, shown] = ["disk.img", "writes.log", "disk.raw"].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const file of [image, log]) writeFileSync(file, "");
  const bytes = mebibytes * 2 ** 20;
  truncateSync(image, bytes);
  const options = [
    ...["--blockdev", `driver=file,node-name=image,filename=${image}`],
    ...["--blockdev", `driver=file,node-name=log,filename=${log}`],
    ...["--blockdev", "driver=blklogwrites,node-name=logged,file=image,log=log"],
  ];
  const { stop } = await exportDisk(options, "logged", shown);
  format(shown, journal);
  const disk = mountImage(shown, join(scratch, "logged"));
  return {
    folder: disk.folder,
    log,
    bytes,
    unmount: () => {
      disk.unmount();
      stop();
      rmSync(image);
    },
  };
}

/** Leaves only so many bytes on a disk; returns the file that takes the room. */
export function fillDisk(folder: string, bytesLeft: number): string {
  const path = join(folder, "filler");
  const { bavail, bsize } = statfsSync(folder);
  runTool("fallocate", "-l", String(Math.max(1, bavail * bsize - bytesLeft)), path);
  return path;
}
