// Runs the program on a terminal: a pseudo-terminal made by util-linux's `script`, which is on every Debian.

import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { program } from "./program.ts";

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

type TerminalOptions = {
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
};

/** A program whose input and output are a terminal that echoes. Killed when the test ends. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** Everything that was on the terminal; lines end in CR LF. */
  text = "";
  #seen = 0;

  /** `words` start any program; see holdfastTerminal for ours. */
  constructor(words: readonly string[], options: TerminalOptions = {}) {
    const { columns = 100, env = {} } = options;
    const line = `stty cols ${columns}; exec ${words.map(quoted).join(" ")}`;
    this.#child = spawn(
      "script",
      ["--quiet", "--flush", "--return", "--echo", "always", "--command", line, "/dev/null"],
      {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, ...env, HOLDFAST_PASSWORD: undefined, SHELL: "/bin/sh" },
      },
    );
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
    });
    this.#ended = new Promise((resolve) => this.#child.once("close", (status) => resolve(status)));
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  /** Waits until this is on the terminal, behind what was waited for before. */
  async shows(pattern: RegExp): Promise<void> {
    for (;;) {
      const match = pattern.exec(this.text.slice(this.#seen));
      if (match !== null) {
        this.#seen += match.index + match[0].length;
        return;
      }
      if (this.#child.exitCode !== null) throw new Error(`it ended without ${pattern}: ${this.text}`);
      await pause(10);
    }
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Waits for a question and types the answer and Enter. */
  async answer(question: RegExp, answer: string): Promise<void> {
    await this.shows(question);
    this.type(`${answer}\r`);
  }

  /** Exit status; that of `script`, which passes the program's on. */
  ended(): Promise<number | null> {
    return this.#ended;
  }
}

/** Our program with these arguments on a terminal. */
export function holdfastTerminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
  return new Terminal(program(...args), options);
}
