// One line at the foot of a terminal: a bar where the total is known, the rate, and the time left.

import { formatBytes, formatCount, formatDuration } from "../units.ts";
import type { TextSink } from "./output.ts";

export type ProgressState = {
  /** What is being done, for people: "backing up". */
  readonly label: string;
  readonly files?: number;
  readonly bytes?: number;
  /** What is counted in `files`, where it is no files: "pack". In JSON the counts are called by it (`packs`, `total_packs`). */
  readonly unit?: string;
  /** Expected totals; absent where nothing is known. */
  readonly total_files?: number;
  readonly total_bytes?: number;
  readonly sent_bytes?: number;
  /** Of a run with limits: its number, what it read so far, and the most that it may read. */
  readonly portion?: number;
  readonly portion_bytes?: number;
  readonly portion_bytes_max?: number;
  /** As whoever does the work says; null: it cannot tell. Absent: it is worked out here. */
  readonly left_seconds?: number | null;
};

const redrawMs = 100;
const barColumns = 10;
const escapeCode = "\u001b[";

/** The share that is done, 0 to 1, by whichever total says more; undefined without totals. */
export function shareDone(state: ProgressState): number | undefined {
  const { portion_bytes: read = 0, portion_bytes_max: limit, total_bytes: total } = state;
  if (limit !== undefined) {
    // The last portion has less to do than it may: what is left of the whole.
    const rest = total === undefined ? limit : Math.max(0, total - (state.bytes ?? 0));
    const most = Math.min(limit, read + rest);
    return most === 0 ? undefined : Math.min(read / most, 0.99);
  }
  const share = Math.max(partOf(state.bytes, total), partOf(state.files, state.total_files));
  // Totals are those of the last run and may be passed: a full bar that still works would be a lie.
  return share < 0 ? undefined : Math.min(share, 0.99);
}

/** -1 where one of them is not known, or there is nothing to do. */
function partOf(done: number | undefined, total: number | undefined): number {
  return done === undefined || total === undefined || total === 0 ? -1 : done / total;
}

/** How long it will take still, in seconds, `elapsed` after the first state; undefined while that cannot be told. */
export function secondsLeft(state: ProgressState, elapsed: number): number | undefined {
  if (state.left_seconds !== undefined) return state.left_seconds ?? undefined;
  const share = shareDone(state);
  if (share === undefined || share <= 0.02 || elapsed <= 2) return undefined;
  return (elapsed * (1 - share)) / share;
}

/** The text of the line, in at most `columns`: what matters least goes first. `elapsed` in seconds since the first state. */
export function progressText(
  state: ProgressState,
  elapsed: number,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { label, files, bytes, sent_bytes: sent } = state;
  const share = shareDone(state);
  const parts: Part[] = [{ text: label, rank: 5 }];
  if (share !== undefined) {
    const full = Math.round(share * barColumns);
    parts.push({ text: `[${"#".repeat(full)}${".".repeat(barColumns - full)}]`, rank: 2 });
    parts.push({ text: `${String(Math.floor(share * 100)).padStart(2)}%`, rank: 7 });
  }
  if (files !== undefined) parts.push({ text: formatCount(files, state.unit ?? "file"), rank: 3 });
  if (bytes !== undefined) parts.push({ text: formatBytes(bytes), rank: 6 });
  const moved = state.portion_bytes ?? bytes;
  if (elapsed > 0.5 && moved !== undefined)
    parts.push({ text: `${formatBytes(Math.round(moved / elapsed))}/s`, rank: 4 });
  if (sent !== undefined) parts.push({ text: `sent ${formatBytes(sent)}`, rank: 1 });
  const left = secondsLeft(state, elapsed);
  if (left !== undefined) parts.push({ text: `${formatDuration(left)} left`, rank: 8 });
  return fitted(parts, columns);
}

/** A part of the line; the one of the lowest rank goes first where there is not room for all. */
type Part = { readonly text: string; readonly rank: number };

function fitted(parts: readonly Part[], columns: number): string {
  const text = parts.map((part) => part.text).join("  ");
  if (text.length <= columns || parts.length <= 1) return text.slice(0, Math.max(0, columns));
  const lowest = Math.min(...parts.map(({ rank }) => rank));
  return fitted(
    parts.filter(({ rank }) => rank !== lowest),
    columns,
  );
}

export class ProgressLine {
  readonly #sink: TextSink;
  readonly #nowMs: () => number;
  #startedMs: number | undefined;
  #label = "";
  #drawnMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(sink: TextSink, nowMs: () => number) {
    this.#sink = sink;
    this.#nowMs = nowMs;
  }

  show(state: ProgressState): void {
    const now = this.#nowMs();
    // Another work's rate says nothing of this one's.
    if (state.label !== this.#label) this.#startedMs = undefined;
    this.#label = state.label;
    this.#startedMs ??= now;
    if (now - this.#drawnMs < redrawMs) return;
    this.#drawnMs = now;
    // The last column stays free: a terminal that is written full may go to the next line.
    const text = progressText(state, (now - this.#startedMs) / 1000, (this.#sink.columns || 80) - 1);
    this.#sink.write(`\r${text}${escapeCode}K`);
    this.#shown = true;
  }

  /** The work is over: what is shown next is another one, whose time begins anew. */
  end(): void {
    this.clear();
    this.#startedMs = undefined;
  }

  /** Wipes the line, so that other words can be printed. */
  clear(): void {
    if (!this.#shown) return;
    this.#sink.write(`\r${escapeCode}K`);
    this.#shown = false;
  }
}
