// Which file systems are windows into the kernel and hold nothing to back up.

import { readFileSync } from "node:fs";

// Magic numbers of statfs(2) with the names that /proc/filesystems uses.
const byMagic = new Map<number, string>([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
  [0x1cd1, "devpts"],
  [0x27e0eb, "cgroup"],
  [0x63677270, "cgroup2"],
  [0x64626720, "debugfs"],
  [0x74726163, "tracefs"],
  [0x73636673, "securityfs"],
  [0xf97cff8c, "selinuxfs"],
  [0x43415d53, "smackfs"],
  [0x6165676c, "pstore"],
  [0xcafe4a11, "bpf"],
  [0x62656570, "configfs"],
  [0x65735543, "fusectl"],
  [0x19800202, "mqueue"],
  [0x958458f6, "hugetlbfs"],
  [0x42494e4d, "binfmt_misc"],
  [0xde5e81e4, "efivarfs"],
  [0x67596969, "rpc_pipefs"],
  [0x6e667364, "nfsd"],
  [0x6e736673, "nsfs"],
  [0x50495045, "pipefs"],
  [0x0187, "autofs"],
  [0xabba1974, "xenfs"],
  [0x7655821, "resctrl"],
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
  [0x794c7630, "overlay"],
  [0x65735546, "fuse"],
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0x2fc12fc1, "zfs"],
]);

const pseudoTypes = new Set([
  ...[
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "debugfs",
    "tracefs",
    "securityfs",
    "selinuxfs",
  ],
  ...["smackfs", "pstore", "bpf", "configfs", "fusectl", "mqueue", "hugetlbfs", "binfmt_misc", "efivarfs"],
  ...["rpc_pipefs", "nfsd", "nsfs", "pipefs", "sockfs", "autofs", "xenfs", "resctrl"],
]);

/** What the mount table says of drives that show snapshots (fs/fuse). */
export const driveType = "fuse.holdfast";

/** True for proc, sysfs, devtmpfs and their like, by the name of the type. */
export function isPseudoType(type: string): boolean {
  return pseudoTypes.has(type);
}

/** The types of mounted file systems by device ("8:1"), from the text of /proc/self/mountinfo. */
export function typesByDevice(mountinfo: string): Map<string, string> {
  const types = new Map<string, string>();
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    const device = left?.split(" ")[2];
    const type = right?.split(" ")[0];
    if (device !== undefined && type !== undefined) types.set(device, type);
  }
  return types;
}

/** Names file systems; remembers the mounts of this process and looks again when it meets a new device. */
export class FileSystemTypes {
  #byDevice = new Map<string, string>();

  /**
   * The name for a device and the magic of statfs. The mount table goes first: only it tells devtmpfs from tmpfs, and
   * what a FUSE mount is. Subvolumes of btrfs are not in it; they go by magic.
   */
  typeOf(major: number, minor: number, magic: number): string {
    const device = `${major}:${minor}`;
    if (!this.#byDevice.has(device)) this.#byDevice = readMounts();
    return this.#byDevice.get(device) ?? byMagic.get(magic >>> 0) ?? `0x${(magic >>> 0).toString(16)}`;
  }
}

function readMounts(): Map<string, string> {
  try {
    return typesByDevice(readFileSync("/proc/self/mountinfo", "latin1"));
  } catch {
    // Without /proc (a bare chroot, another system) the magic alone decides.
    return new Map();
  }
}
