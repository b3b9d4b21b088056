// What the mount tests share: whether this machine can mount, running outside tools, and a log that can be read.

import { spawn } from "node:child_process";
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach } from "vitest";
import type { FuseLogger, FuseMountOptions, Mounted } from "../../../fs/fuse/driver.ts";
import { detach } from "../../../fs/fuse/kernel/mountHelper.ts";
import { mountAt } from "../../../fs/fuse/mountTable.ts";
import type { View } from "../../../fs/view/view.ts";

/** False, with a loud line, where mounting cannot work; on CI that is an error instead. */
export function canMount(): boolean {
  let reason: string | undefined;
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch (error) {
    reason = `/dev/fuse: ${(error as Error).message}`;
  }
  if (process.getuid?.() !== 0) reason = "not root";
  if (reason === undefined) return true;
  if (process.env.CI === "true") throw new Error(`the mount tests cannot run: ${reason}`);
  process.stderr.write(`\n*** SKIPPED: the mount tests cannot run here (${reason}) ***\n\n`);
  return false;
}

export type Ran = { readonly status: number | null; readonly stdout: Buffer; readonly stderr: string };

/** Runs a shell command without blocking the event loop, which serves the mount. */
export function sh(command: string, ...args: string[]): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const child = spawn("sh", ["-c", command, "sh", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  child.on("error", reject);
  child.on("close", (status) =>
    resolve({ status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
  );
  return promise;
}

/** The stdout of a command that must succeed. */
export async function tool(command: string, ...args: string[]): Promise<Buffer> {
  const ran = await sh(command, ...args);
  if (ran.status !== 0) throw new Error(`${command}: status ${ran.status}: ${ran.stderr}`);
  return ran.stdout;
}

/** A new empty directory that other users can pass through. */
export function freshDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-fuse-")));
  chmodSync(path, 0o755);
  return path;
}

/** A mount point of its own for each test of the suite that calls this. What is mounted there, by `mount` or otherwise, is gone when the test ends. */
export function mountPoints(): MountPoints {
  let scratch = "";
  let mnt = "";
  let mounted: Mounted | undefined;
  beforeEach(() => {
    scratch = freshDirectory();
    mnt = join(scratch, "mnt");
    mkdirSync(mnt);
  });
  afterEach(async () => {
    await mounted?.unmount();
    mounted = undefined;
    if ((await mountAt(mnt)) !== undefined) await detach(mnt, true);
    rmSync(scratch, { recursive: true, force: true });
  });
  return {
    get mnt() {
      return mnt;
    },
    mount: async (driver, view, options = {}) => {
      const now = await driver.mount(view, mnt, { logger: keptLog(), ...options });
      mounted = now;
      return now;
    },
  };
}

export type MountPoints = {
  /** Of the test that runs: an empty directory. */
  readonly mnt: string;
  mount<Kind extends Mounted>(
    driver: { mount(view: View, mountpoint: string, options: FuseMountOptions): Promise<Kind> },
    view: View,
    options?: Omit<FuseMountOptions, "logger">,
  ): Promise<Kind>;
};

/** Waits until `done` holds; fails with `what` after half a minute, or so many looks of 10 ms. */
export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
  looks = 3000,
): Promise<void> {
  for (let tries = 0; tries < looks; tries++) {
    if (await done()) return;
    await sleep(10);
  }
  throw new Error(`never happened: ${what}`);
}

export type LogLine = { readonly level: string; readonly message: string; readonly detail: object };

/** A logger that keeps its lines. */
export function keptLog(): FuseLogger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (detail: object, message: string) =>
    void lines.push({ level, message, detail });
  return { lines, info: at("info"), warn: at("warn"), error: at("error") };
}
