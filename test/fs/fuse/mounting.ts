// What the mount tests share: whether this machine can mount, running outside tools, and a log that can be read.

import { spawn } from "node:child_process";
import { accessSync, chmodSync, constants, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FuseLogger } from "../../../fs/fuse/driver.ts";

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

/** Waits until `done` holds; fails with `what` after half a minute. */
export async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
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
