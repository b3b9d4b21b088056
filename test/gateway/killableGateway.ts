// A gateway in a process of its own, which crash tests end by kill -9.

import { type ChildProcess, fork } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Random } from "../fidelity/random.ts";

export class KillableGateway {
  readonly #path: string;
  readonly #packBytesTarget: number;
  #child: ChildProcess | undefined;

  /** `packBytesTarget`: bytes at which packs are closed; 0 for the usual. */
  constructor(path: string, packBytesTarget: number) {
    this.#path = path;
    this.#packBytesTarget = packBytesTarget;
  }

  /** Starts it, and answers its address. */
  async start(): Promise<string> {
    const program = join(import.meta.dirname, "gatewayProcess.ts");
    // It starts several times as fast with what is compiled.
    const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "holdfast-test-compile") };
    const child = fork(program, [this.#path, String(this.#packBytesTarget)], { env });
    this.#child = child;
    return await new Promise<string>((resolve, reject) => {
      child.once("message", (message) => resolve(String(message)));
      child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
    });
  }

  /** Resolves when it is gone; at once where none runs. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Kills it at some moment after `reached` (or when all work has ended): what then ends, ends because the gateway is gone. */
  async killWhile(work: readonly Promise<void>[], reached: Promise<void>, random: Random): Promise<void> {
    const running = work.map((one) => one.catch((error: { code?: string }) => error.code));
    await Promise.race([reached, Promise.all(running)]);
    await sleep(random.below(30));
    await this.kill();
    for (const ended of await Promise.all(running))
      expect([undefined, "gateway-unreachable", "session-ended"]).toContain(ended);
  }
}
