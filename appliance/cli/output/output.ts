// Where a command's words go. For people: results on stdout, warnings and progress on stderr. With --json: one object per
// line on stdout. With --quiet: errors only. Warnings are counted here: they decide between exit status 0 and 3.

import type { HoldfastError } from "../../../vault/errors.ts";
import type { OutputWish } from "../parse.ts";
import { ProgressLine, type ProgressState, secondsLeft } from "./progressLine.ts";

/** The part of process.stdout and process.stderr that is used. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array, done?: () => void): boolean;
}

export type OutputOptions = OutputWish & {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly nowMs: () => number;
};

/** JSON progress events come at most this often. */
const progressEventMs = 1000;

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  #warnings = 0;
  readonly #stdout: TextSink;
  readonly #stderr: TextSink;
  readonly #nowMs: () => number;
  readonly #progress: ProgressLine | undefined;
  #lastEventMs = Number.NEGATIVE_INFINITY;
  /** The label of the work that JSON tells of, and since when. */
  #work = { label: "", startedMs: 0 };

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.quiet = options.quiet;
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.#nowMs = options.nowMs;
    const shows = options.stderr.isTTY === true && !options.json && !options.quiet;
    this.#progress = shows ? new ProgressLine(options.stderr, options.nowMs) : undefined;
  }

  get warnings(): number {
    return this.#warnings;
  }

  /** True where results go to a screen. */
  get onTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** True where a person may be asked something. */
  get interactive(): boolean {
    return this.#stderr.isTTY === true && !this.json;
  }

  /** True where somebody sees how far long work is. */
  get showsProgress(): boolean {
    return this.#progress !== undefined;
  }

  /** A line for people: on stdout, and nowhere with --json or --quiet. */
  line(text = ""): void {
    if (this.json || this.quiet) return;
    this.#progress?.clear();
    this.#stdout.write(`${text}\n`);
  }

  /** A line for people that is no result: on stderr, and nowhere with --json or --quiet. */
  note(text: string): void {
    if (this.json || this.quiet) return;
    this.#progress?.clear();
    this.#stderr.write(`${text}\n`);
  }

  /** What must be seen in every mode and is shown only once: a new recovery key. `event` is its form in JSON. */
  once(text: string, event: Readonly<Record<string, unknown>>): void {
    this.#progress?.clear();
    this.#stdout.write(this.json ? `${JSON.stringify(event)}\n` : `${text}\n`);
  }

  /** One JSON line, with --json only. */
  event(event: Readonly<Record<string, unknown>> | readonly unknown[]): void {
    if (this.json) this.#stdout.write(`${JSON.stringify(event)}\n`);
  }

  /** Content or a listing that is the command's result: on stdout also with --quiet. Resolves when there is room for more. */
  async bytes(bytes: Uint8Array | string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#stdout.write(bytes, resolve)) return;
    await promise;
  }

  /** One row of a listing that is the command's result: a line, or an object with --json. Resolves when there is room for more. */
  result(line: string, row: object): Promise<void> {
    return this.bytes(`${this.json ? JSON.stringify(row) : line}\n`);
  }

  /** One of several failures that the command found, on stderr; the command then fails. */
  fault(text: string): void {
    if (this.json) return;
    this.#progress?.clear();
    this.#stderr.write(`holdfast: ${text}\n`);
  }

  /** Something was left out or is not as it should be: exit status 3. `path` is text for people. */
  warn(message: string, path?: string): void {
    this.#warnings += 1;
    if (this.json) {
      this.event({ event: "warning", ...(path === undefined ? {} : { path }), message });
      return;
    }
    if (this.quiet) return;
    this.#progress?.clear();
    this.#stderr.write(`holdfast: warning: ${path === undefined ? "" : `${path}: `}${message}\n`);
  }

  /** Worth knowing, and by design: no warning. */
  info(message: string, path: string): void {
    this.event({ event: "note", path, message });
    this.note(`holdfast: note: ${path}: ${message}`);
  }

  /** How far long work is. Cheap to call often. */
  progress(state: ProgressState): void {
    this.#progress?.show(state);
    if (!this.json) return;
    const now = this.#nowMs();
    const { label } = state;
    const isOther = label !== this.#work.label;
    if (isOther) this.#work = { label, startedMs: now };
    if (!isOther && now - this.#lastEventMs < progressEventMs) return;
    this.#lastEventMs = now;
    this.event({ event: "progress", ...progressFigures(state, (now - this.#work.startedMs) / 1000) });
  }

  /** Takes the progress line away. */
  endProgress(): void {
    this.#progress?.end();
    this.#work = { label: "", startedMs: 0 };
  }

  /** A failure: one line on stderr with what to do next, and an event with --json. */
  error(error: HoldfastError, stack: string | undefined): void {
    this.#progress?.clear();
    const { code, message, next, detail } = error;
    this.event({ event: "error", code, message, ...(next === undefined ? {} : { next }), detail });
    const what = message.replaceAll(/\s*\n\s*/g, " ");
    const full = /[.!?]$/.test(what) ? what : `${what}.`;
    this.#stderr.write(`holdfast: ${next === undefined ? what : `${full} ${next}`}\n`);
    if (stack !== undefined) this.#stderr.write(`${stack}\n`);
  }
}

/** What JSON says of a state, `elapsed` seconds after the first of its work. */
function progressFigures(state: ProgressState, elapsed: number): Record<string, unknown> {
  const { label, unit, files, total_files: totalFiles, left_seconds: _, ...figures } = state;
  const left = secondsLeft(state, elapsed);
  const eta = given("eta_seconds", left && Math.round(left));
  if (unit === undefined)
    return { ...given("files", files), ...given("total_files", totalFiles), ...figures, ...eta };
  const counts = { ...given(`${unit}s`, files), ...given(`total_${unit}s`, totalFiles) };
  return { phase: label, ...counts, ...figures, ...eta };
}

function given(name: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [name]: value };
}
