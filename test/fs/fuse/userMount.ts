// A process that mounts a tiny view at its first argument, looks at it through other programs, says what it saw as
// one JSON line, and unmounts; with "die" as the second argument it kills itself while mounted.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { descriptorReceiver } from "../../../agent/platform/descriptorReceiver.ts";
import { kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { directory, file, MemoryView } from "../memoryView.ts";
import { tool } from "./mounting.ts";

const [mountpoint, mode] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error("which mountpoint?");

/** Sockets and FUSE devices that are open here. */
function watched(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /^socket:|fuse/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // the descriptor that lists them
    }
  }).length;
}

async function look(path: string): Promise<object> {
  const quiet = (): void => {};
  const view = new MemoryView(directory([["f", file("read by an ordinary user", { uid: 65_534 })]]));
  const before = watched();
  try {
    const mounted = await kernelDriver(descriptorReceiver()).mount(view, path, {
      logger: { info: quiet, warn: quiet, error: console.error },
    });
    if (mode === "die") process.kill(process.pid, "SIGKILL");
    const opened = watched() - before;
    const content = (await tool(`cat "$1/f"`, path)).toString();
    await mounted.unmount();
    await mounted.closed;
    const left = readFileSync("/proc/self/mountinfo", "utf8").includes(path);
    return { uid: process.getuid?.(), content, opened, left, leaked: watched() - before };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { code: error.code, message: error.message, leaked: watched() - before };
  }
}

process.stdout.write(`${JSON.stringify(await look(mountpoint))}\n`);
