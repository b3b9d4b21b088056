// quickstart --stop and --remove.

import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { detach } from "../../fs/fuse/kernel/mountHelper.ts";
import { mountAt } from "../../fs/fuse/mountTable.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes } from "../cli/units.ts";
import { endProcess, stopGateway } from "./gatewayChild.ts";
import { type Layout, partsOf } from "./layout.ts";
import { isRunning } from "./lock.ts";

/** Ends the quickstart that runs in the directory, its drive and its gateway. Returns whether anything ran. */
export async function stopQuickstart(layout: Layout): Promise<boolean> {
  let stopped = false;
  if (isRunning(layout.lock)) {
    const pid = Number(readFileSync(layout.lock, "utf8").trim());
    if (Number.isInteger(pid) && pid > 1 && pid !== process.pid) await endProcess(pid);
    stopped = true;
  }
  if (await isMounted(layout.drive)) {
    await detach(layout.drive, true);
    stopped = true;
  }
  return (await stopGateway(layout.gateway)) || stopped;
}

const goneMs = 5000;
const lookMs = 50;

async function isMounted(drive: string): Promise<boolean> {
  return process.platform === "linux" && (await mountAt(drive)) !== undefined;
}

/** Bytes below a path. */
function sizeOf(path: string): number {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** Lists what is there for people and JSON; true when there is anything. The drive is listed, not looked into. */
export function listParts(layout: Layout, output: Output): boolean {
  const there = partsOf(layout).filter(([path]) => existsSync(path));
  for (const [path, what] of there) {
    const bytes = path === layout.drive ? 0 : sizeOf(path);
    output.line(`  ${path}  ${what}${bytes > 0 ? ` (${formatBytes(bytes)})` : ""}`);
    output.event({ event: "part", path, what, bytes });
  }
  return there.length > 0;
}

/** Deletes what quickstart made, and the directory when nothing else is in it. @throws HoldfastError mount-failed */
export async function removeParts(layout: Layout): Promise<void> {
  for (let waitedMs = 0; await isMounted(layout.drive); waitedMs += lookMs) {
    if (waitedMs > goneMs) {
      throw new HoldfastError(
        ErrorCode.mountFailed,
        `${layout.drive} is still mounted: nothing was deleted`,
        {
          next: `Unmount it (umount ${layout.drive}) and run --remove again.`,
        },
      );
    }
    await pause(lookMs);
  }
  for (const [path] of partsOf(layout)) {
    // The mount point is removed only as an empty directory, so that content of a drive can never be touched.
    if (path === layout.drive) {
      if (existsSync(path)) rmdirSync(path);
    } else rmSync(path, { recursive: true, force: true });
  }
  if (existsSync(layout.root) && readdirSync(layout.root).length === 0) rmdirSync(layout.root);
}
