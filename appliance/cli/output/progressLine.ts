// One line at the foot of a terminal: a bar where the total is known, the rate, and the time left.

import { formatBytes, formatCount, formatDuration } from "../units.ts";
import type { TextSink } from "./output.ts";

export type ProgressState = {
  /** What is being done, for people: "backing up". */
  readonly label: string;
  readonly files: number;
  readonly bytes: number;
  /** Expected totals; absent where nothing is known. */
  readonly total_files?: number;
  readonly total_bytes?: number;
  readonly sent_bytes?: number;
};

const redrawMs = 100;
const barColumns = 20;
const escapeCode = "\u001b[";

/** The share that is done, 0 to 1, by whichever total says more; undefined without totals. */
export function shareDone(state: ProgressState): number | undefined {
  const byBytes =
    state.total_bytes === undefined || state.total_bytes === 0 ? undefined : state.bytes / state.total_bytes;
  const byFiles =
    state.total_files === undefined || state.total_files === 0 ? undefined : state.files / state.total_files;
  const share = Math.max(byBytes ?? -1, byFiles ?? -1);
  // Totals are those of the last run and may be passed: a full bar that still works would be a lie.
  return share < 0 ? undefined : Math.min(share, 0.99);
}

/** The text of the line. `elapsed` in seconds since the first state. */
export function progressText(state: ProgressState, elapsed: number): string {
  const { label, files, bytes, sent_bytes: sent } = state;
  const share = shareDone(state);
  const parts = [label];
  if (share !== undefined) {
    const full = Math.round(share * barColumns);
    parts.push(
      `[${"#".repeat(full)}${".".repeat(barColumns - full)}] ${String(Math.floor(share * 100)).padStart(2)}%`,
    );
  }
  parts.push(formatCount(files, "file"), formatBytes(bytes));
  if (elapsed > 0.5) parts.push(`${formatBytes(Math.round(bytes / elapsed))}/s`);
  if (sent !== undefined) parts.push(`sent ${formatBytes(sent)}`);
  if (share !== undefined && share > 0.02 && elapsed > 2) {
    parts.push(`${formatDuration((elapsed * (1 - share)) / share)} left`);
  }
  return parts.join("  ");
}

export class ProgressLine {
  readonly #sink: TextSink;
  readonly #nowMs: () => number;
  #startedMs: number | undefined;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(sink: TextSink, nowMs: () => number) {
    this.#sink = sink;
    this.#nowMs = nowMs;
  }

  show(state: ProgressState): void {
    const now = this.#nowMs();
    this.#startedMs ??= now;
    if (now - this.#drawnMs < redrawMs) return;
    this.#drawnMs = now;
    const text = progressText(state, (now - this.#startedMs) / 1000);
    this.#sink.write(`\r${text.slice(0, (this.#sink.columns ?? 80) - 1)}${escapeCode}K`);
    this.#shown = true;
  }

  /** Wipes the line, so that other words can be printed. */
  clear(): void {
    if (!this.#shown) return;
    this.#sink.write(`\r${escapeCode}K`);
    this.#shown = false;
  }
}
