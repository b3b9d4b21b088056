// The gateway of a quickstart: a process of its own, in its own session, so that Ctrl-C reaches it only after the drive is
// unmounted. One that was left behind by a killed quickstart is used again.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { AdminClient } from "../../gateway/admin/adminClient.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { isAlive } from "../isAlive.ts";

const startMs = 60_000;
const stopMs = 20_000;
const lookMs = 50;
/** What this process was started with, and a gateway's heap as in bin/holdfast. */
const gatewayFlags = [...process.execArgv, "--initial-old-space-size=128"];

/** A port on the loopback interface that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== "object" || address === null) throw new Error("a listener without an address");
  return address.port;
}

/** True where the port of 127.0.0.1 can be listened on. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (free) await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}

/**
 * Makes sure that a gateway runs on `data`.
 * @throws HoldfastError data-dir-invalid with the last line of its log; cancelled
 */
export async function startGatewayChild(
  data: string,
  log: string,
  signal: AbortSignal,
): Promise<AdminClient> {
  const client = new AdminClient(data);
  if (await client.isRunning()) return client;
  const fd = openSync(log, "a", 0o600);
  const program = process.argv[1] as string;
  const child = spawn(process.execPath, [...gatewayFlags, program, "gateway", "run", "--data", data], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", fd, fd],
  });
  closeSync(fd);
  child.unref();
  await untilRunning(client, child, log, signal);
  return client;
}

async function untilRunning(
  client: AdminClient,
  child: ChildProcess,
  log: string,
  signal: AbortSignal,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < startMs; waitedMs += lookMs) {
    if (await client.isRunning()) return;
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (signal.aborted) {
      child.kill("SIGTERM");
      signal.throwIfAborted();
    }
    await pause(lookMs);
  }
  child.kill("SIGTERM");
  const last = readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
  throw new HoldfastError(
    ErrorCode.dataDirInvalid,
    `the gateway did not start: ${last.replace(/^holdfast: /, "")}`,
    {
      next: `See ${log}.`,
    },
  );
}

/** Asks a process to end and waits for it; after a while it is made to. */
export async function endProcess(pid: number): Promise<void> {
  if (!isAlive(pid)) return;
  process.kill(pid, "SIGTERM");
  for (let waitedMs = 0; waitedMs < stopMs; waitedMs += lookMs) {
    if (!isAlive(pid)) return;
    await pause(lookMs);
  }
  process.kill(pid, "SIGKILL");
}

/** Stops the gateway that runs on `data`, if one does. Returns whether it did. */
export async function stopGateway(data: string): Promise<boolean> {
  const client = new AdminClient(data);
  if (!(await client.isRunning())) return false;
  const { pid } = await client.status();
  if (pid === null || pid === process.pid) return false;
  await endProcess(pid);
  return true;
}
