// Runs clients of WebDAV as their users do, without blocking this process, which reads the gateway's log meanwhile.

import { spawn } from "node:child_process";

export type ClientRan = {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
};

export type ClientOptions = {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly folder?: string;
};

/** Runs a program to its end, for two minutes at most. */
export function runClient(
  program: string,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<ClientRan> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientRan>();
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", ...options.env },
    ...(options.folder !== undefined && { cwd: options.folder }),
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  child.once("error", reject);
  child.once("close", (status) =>
    resolve({ status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
  );
  // A program that ends before it read everything is judged by its status.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return promise;
}

/** The stdout of a program that must succeed. */
export async function clientDone(
  program: string,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<Buffer> {
  const ran = await runClient(program, args, options);
  if (ran.status === 0) return ran.stdout;
  throw new Error(
    `${program} ${args.join(" ")}: status ${ran.status}: ${ran.stderr}${ran.stdout.toString("latin1")}`,
  );
}
