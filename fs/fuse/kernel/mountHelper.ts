// Getting a mounted /dev/fuse descriptor, and getting rid of a mount, by the system's own helpers.
//
// Root opens /dev/fuse and lets mount(8) inherit it. Others need the setuid fusermount3, which opens
// the device itself and passes it over a Unix socket. Node cannot receive that: reading a socket drops
// descriptors, and its IPC channel aborts the process on any that is no socket (an assertion in
// LibuvStreamWrap::OnUvRead, seen with Node 24). mount.fuse3 -o drop_privileges, which would hand the
// descriptor to a program it starts, itself insists on CAP_SYS_ADMIN and CAP_SETPCAP. So the receiving end
// is a port that the composition root may fill in (recvmsg through the platform layer).
//
// The helpers have exited before we go on, so that no other process holds the descriptor and the
// kernel notices at once when the server is killed.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { MOUNT_SUBTYPE } from "../mountTable.ts";
import { MAX_PAGES, PAGE_BYTES } from "./abi.ts";

/** A Unix socket pair of which one end goes to a child, which sends one descriptor over it. */
export interface DescriptorPair {
  readonly childEnd: number;
  /** The descriptor that has arrived (close-on-exec), or undefined. Does not wait. */
  take(): number | undefined;
  /** Closes both ends; what was taken stays open. */
  close(): void;
}

/** Opens such pairs; needs recvmsg(2), which Node does not offer. */
export interface DescriptorPort {
  openPair(): DescriptorPair;
}

/**
 * Mounts at `path` and returns the descriptor to serve.
 * @throws HoldfastError mount-failed.
 */
export async function mountDescriptor(
  path: string,
  allowOther: boolean,
  port: DescriptorPort | undefined,
): Promise<number> {
  const options = ["ro", "nosuid", "nodev", "noatime", "default_permissions"];
  options.push(`max_read=${MAX_PAGES * PAGE_BYTES}`, `subtype=${MOUNT_SUBTYPE}`);
  if (allowOther) options.push("allow_other");
  if (process.getuid?.() === 0) return mountAsRoot(path, options);
  if (port === undefined) {
    throw new HoldfastError(
      ErrorCode.mountFailed,
      "only root can mount with the kernel driver here: Node.js cannot receive the descriptor that fusermount3 passes",
      { next: "Run as root, or use --driver fuse-native (needs the package fuse3)." },
    );
  }
  return mountAsUser(path, [...options, `fsname=${MOUNT_SUBTYPE}`], port);
}

async function mountAsRoot(path: string, options: readonly string[]): Promise<number> {
  let descriptor: number;
  try {
    descriptor = openSync("/dev/fuse", "r+");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new HoldfastError(ErrorCode.mountFailed, `/dev/fuse cannot be opened (${code})`, {
      next: "Load the fuse module (modprobe fuse); in a container, pass --device /dev/fuse and CAP_SYS_ADMIN.",
      cause: error,
    });
  }
  const own = [`fd=3`, "rootmode=40000", "user_id=0", "group_id=0", ...options].join(",");
  const args = ["-i", "-t", "fuse", "-o", own, "--", MOUNT_SUBTYPE, path];
  try {
    await run("mount", args, descriptor);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Where fusermount3 looks a drive up before it unmounts it. */
const mountList = "/etc/mtab";

async function mountAsUser(path: string, options: readonly string[], port: DescriptorPort): Promise<number> {
  if (!existsSync(mountList)) {
    throw new HoldfastError(
      ErrorCode.mountFailed,
      `fusermount3 could not unmount the drive again: ${mountList} is missing`,
      { next: `Make it, as root: ln -s /proc/self/mounts ${mountList}` },
    );
  }
  const pair = port.openPair();
  try {
    // noatime is mount(8)'s own word; fusermount3 knows it as well.
    await run("fusermount3", ["-o", options.join(","), "--", path], pair.childEnd);
    const descriptor = pair.take();
    if (descriptor === undefined) {
      throw new HoldfastError(ErrorCode.mountFailed, "fusermount3 mounted, but passed no descriptor");
    }
    return descriptor;
  } finally {
    pair.close();
  }
}

/**
 * Detaches what is mounted at `path`; lazily when it is in use or `lazy` says so.
 * @throws HoldfastError mount-failed when even the lazy way fails.
 */
export async function detach(path: string, lazy: boolean): Promise<void> {
  const root = process.getuid?.() === 0;
  const gently = (): Promise<void> => run(...commandFor(root, path, false));
  const anyway = (): Promise<void> => run(...commandFor(root, path, true));
  if (lazy) await anyway();
  else await gently().catch(anyway);
}

function commandFor(root: boolean, path: string, lazy: boolean): [string, string[]] {
  if (root) return ["umount", [...(lazy ? ["-l"] : []), "-i", "--", path]];
  return ["fusermount3", ["-u", ...(lazy ? ["-z"] : []), "--", path]];
}

/** A helper that takes longer than this hangs, say on a server that is away; it is killed. */
const helperMsMax = 30_000;

/** Runs a helper to its end; `descriptor` becomes its descriptor 3. */
function run(command: string, args: readonly string[], descriptor?: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
    env: { ...process.env, LC_ALL: "C", _FUSE_COMMFD: "3" },
    // umount(8) must not stand in the drive that it detaches.
    cwd: "/",
    timeout: helperMsMax,
    killSignal: "SIGKILL",
  });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  child.on("error", (error) => {
    const next = `Install it: apt-get install ${command === "fusermount3" ? "fuse3" : "mount"}`;
    reject(new HoldfastError(ErrorCode.mountFailed, `${command} cannot be run`, { next, cause: error }));
  });
  child.on("close", (status, signal) => {
    if (status === 0) return resolve();
    const said = stderr.trim().replaceAll(/\s+/g, " ") || `status ${status ?? signal}`;
    reject(new HoldfastError(ErrorCode.mountFailed, `${command} failed: ${said}`, { next: hint(said) }));
  });
  return promise;
}

function hint(said: string): string {
  if (said.includes("user_allow_other"))
    return "Add the line user_allow_other to /etc/fuse.conf, or mount without it.";
  if (said.includes("open /dev/fuse"))
    return "Ask the administrator to let users open /dev/fuse (mode 0666 is usual).";
  if (/permission denied|not permitted/i.test(said))
    return "Mount as root, or give the container CAP_SYS_ADMIN.";
  if (/unknown filesystem|no such device/i.test(said)) return "Load the fuse module: modprobe fuse.";
  return "holdfast doctor checks what a drive needs on this machine.";
}
