// The slow line of a test (wanProgram.ts), in a network namespace.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { inPlace } from "./namespaces.ts";
import { onTearDown } from "./tearDown.ts";

/** Bytes each way, as the customer sees it. */
export type Passed = { readonly up: number; readonly down: number };

/** The line to the datacentre: how much passed so far. */
export class Wan {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(place: string, ...args: readonly string[]) {
    const [first = "", ...words] = [
      ...inPlace(place),
      process.execPath,
      resolve(import.meta.dirname, "wanProgram.ts"),
      ...args,
    ];
    this.#child = spawn(first, words, { stdio: ["pipe", "pipe", "inherit"] });
    onTearDown(() => this.#child.kill("SIGKILL"));
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== "listening") throw new Error("the line did not start");
  }

  /** What passed; `limit` sets the rate from now on (bytes a second, 0: none). */
  async passed(limit = ""): Promise<Passed> {
    this.#child.stdin!.write(`${limit}\n`);
    const [up, down] = String((await this.#lines.next()).value)
      .split(" ")
      .map(Number) as [number, number];
    return { up, down };
  }

  async end(): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.stdin!.end();
    await closed;
  }
}
