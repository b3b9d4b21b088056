// A mount in the background: the same command is started again with --foreground, detached from this terminal, and tells over a
// pipe when it has mounted or why it could not. Its pid and its log are files in a folder that the caller names.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** Descriptor of the pipe in the daemon. */
const readyDescriptor = 3;
/** Set in the daemon's environment, so that it knows to tell. */
export const readyVariable = "HOLDFAST_READY_FD";

/** What the daemon tells once. */
type Ready =
  | { readonly mounted: string }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; readonly next?: string } };

export type Daemon = { readonly mountpoint: string; readonly pid: number; readonly log: string };

/** The files of a mountpoint's daemon. */
function filesOf(folder: string, mountpoint: string): { readonly pid: string; readonly log: string } {
  const name = createHash("sha256").update(mountpoint).digest("hex").slice(0, 16);
  return { pid: join(folder, `mount-${name}.pid`), log: join(folder, `mount-${name}.log`) };
}

/**
 * Starts `args` (a command line of this program) in the background and waits until it has mounted.
 * @throws HoldfastError what the daemon failed with
 */
export async function startDaemon(
  args: readonly string[],
  folder: string,
  mountpoint: string,
): Promise<Daemon> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { log } = filesOf(folder, mountpoint);
  const logFd = openSync(log, "w", 0o600);
  const program = process.argv[1] as string;
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    cwd: "/",
    env: { ...process.env, [readyVariable]: String(readyDescriptor) },
    stdio: ["ignore", logFd, logFd, "pipe"],
  });
  closeSync(logFd);
  const pipe = child.stdio[readyDescriptor] as Readable;
  const told = await firstLine(pipe);
  pipe.destroy();
  child.unref();
  if (told === undefined) {
    const last = readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
    throw new HoldfastError(ErrorCode.mountFailed, `the drive's process ended before it mounted: ${last}`, {
      next: `See ${log}.`,
    });
  }
  const ready = JSON.parse(told) as Ready;
  if ("error" in ready) {
    const { code, message, next } = ready.error;
    throw new HoldfastError(code, message, next === undefined ? {} : { next });
  }
  return { mountpoint: ready.mounted, pid: child.pid as number, log };
}

async function firstLine(pipe: Readable): Promise<string | undefined> {
  let text = "";
  for await (const piece of pipe.setEncoding("utf8")) {
    text += piece as string;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  return undefined;
}

function tell(ready: Ready): void {
  const fd = Number(process.env[readyVariable]);
  delete process.env[readyVariable];
  try {
    writeSync(fd, `${JSON.stringify(ready)}\n`);
    closeSync(fd);
  } catch {
    // Whoever started us is gone; the drive is mounted all the same.
  }
}

/** True in a process that startDaemon started and that has not told yet. */
function isDaemon(): boolean {
  return process.env[readyVariable] !== undefined;
}

/** In the daemon: tells that it has mounted, and leaves its pid. Elsewhere nothing. Returns what takes the pid file away. */
export function tellMounted(folder: string, mountpoint: string): () => void {
  if (!isDaemon()) return () => undefined;
  const { pid } = filesOf(folder, mountpoint);
  writeFileSync(pid, `${process.pid}\n`, { mode: 0o600 });
  tell({ mounted: mountpoint });
  return () => rmSync(pid, { force: true });
}

/** In the daemon: tells why it could not mount. Elsewhere nothing. */
export function tellFailed(thrown: unknown): void {
  if (!isDaemon()) return;
  const error =
    thrown instanceof HoldfastError
      ? thrown
      : new HoldfastError(ErrorCode.mountFailed, thrown instanceof Error ? thrown.message : String(thrown));
  const { code, message, next } = error;
  tell({ error: { code, message, ...(next === undefined ? {} : { next }) } });
}
