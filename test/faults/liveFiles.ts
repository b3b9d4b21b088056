// Files that change while they are backed up: a log that grows, and a file whose place new versions take. What a snapshot has of them was
// there at some moment.

import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const everyMs = 5;

/** The n-th line of the log. */
function line(n: number): string {
  return `${`line ${n}`.padEnd(63, ".")}\n`;
}

/** The n-th version of the other file. */
function version(n: number): string {
  return `version ${n}\n`.repeat(10 + (n % 20));
}

export class LiveFiles {
  readonly #folder: string;
  readonly #beside: string;
  #count = 0;

  /** `beside`: a path on the same file system, where a new version is made. */
  constructor(folder: string, beside: string) {
    this.#folder = folder;
    this.#beside = beside;
    mkdirSync(folder, { recursive: true });
    this.#change();
  }

  #change(): void {
    appendFileSync(join(this.#folder, "log"), line(this.#count));
    writeFileSync(this.#beside, version(this.#count));
    renameSync(this.#beside, join(this.#folder, "state"));
    this.#count++;
  }

  /** Changes them for as long as `work` takes. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => this.#change(), everyMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  /** What of a restored folder was never there, in words. */
  wrongIn(restored: string): string[] {
    const wrong: string[] = [];
    const [log, state] = ["log", "state"].map((name) => join(restored, name)) as [string, string];
    if (existsSync(log)) {
      const all = Array.from({ length: this.#count }, (_, n) => line(n)).join("");
      if (!all.startsWith(readFileSync(log, "utf8"))) wrong.push("a log that was never so");
    }
    if (existsSync(state)) {
      const found = readFileSync(state, "utf8");
      const n = Number(/^version (\d+)\n/.exec(found)?.[1] ?? Number.NaN);
      if (!(n < this.#count) || found !== version(n)) wrong.push("a state that was never so");
    }
    return wrong;
  }
}
