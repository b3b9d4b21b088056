// Starts dyingProgram.ts: processes that are killed, or kill themselves at a file.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

export type Action = "prepare" | "seal" | "send" | "promise" | "serve" | "import";
/** At its n-th rename, or at the n-th pack that it opens; see dyingProgram.ts. */
export type Death = { readonly at: number; readonly when: "before" | "behind" | "pull" };
type Told = { readonly argument?: string; readonly death?: Death | undefined; readonly boxKey?: Buffer };
export type Ended = {
  readonly status: number | null;
  readonly killed: boolean;
  /** Lines. */
  readonly stdout: readonly string[];
  readonly stderr: string;
};

/** Dies at its n-th rename: before every other odd one, and behind the others. */
export function deathAt(at: number): Death {
  return { at, when: at % 4 === 1 ? "before" : "behind" };
}

export class Dying {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #stdout = "";

  constructor(action: Action, data: string, { argument = "", death, boxKey }: Told = {}) {
    const { at, when } = death ?? { at: 0, when: "before" };
    const program = join(import.meta.dirname, "dyingProgram.ts");
    this.#child = spawn(process.execPath, [program, action, data, argument, String(at), when], {
      env: {
        ...process.env,
        // They start several times as fast.
        NODE_COMPILE_CACHE: join(tmpdir(), "holdfast-test-compile"),
        ...(boxKey && { BOX_KEY: boxKey.toString("base64") }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    this.ended = once(this.#child, "close").then(([status, signal]: unknown[]) => ({
      status: status as number | null,
      killed: signal === "SIGKILL",
      stdout: this.#stdout.trim().split("\n"),
      stderr,
    }));
  }

  /** Its first line, when it is open; undefined where it died before. */
  async opened(): Promise<string | undefined> {
    while (!this.#stdout.includes("\n")) {
      const more = once(this.#child.stdout, "data").then(() => true);
      if ((await Promise.race([more, this.ended])) !== true) break;
    }
    return this.#stdout.includes("\n") ? this.#stdout.slice(0, this.#stdout.indexOf("\n")) : undefined;
  }

  async kill(): Promise<Ended> {
    this.#child.kill("SIGKILL");
    return await this.ended;
  }
}
