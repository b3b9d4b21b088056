// Something that a running gateway does by itself every so many hours: prune, garbage collection.
//
// Invariants
// - A run is due when the gateway was up for the interval since the last one, over restarts, or when the wall clock says so. So neither a
//   clock that was set back nor one that stands still keeps it from coming; one that jumps ahead makes it come early, which must do no harm.
// - One at a time. One that ends with the gateway, or that could not begin, is due still.
// - Time that the gateway was up is noted every `noteMs` at most, so a kill costs that much of it. Where that cannot be written (a full
//   disk), what is due is tried every `noteMs`.

import type { ScheduledRun, ScheduledRuns } from "../catalog/scheduledRuns.ts";
import type { Gateway } from "../gateway.ts";

const hourMs = 3_600_000;
const lookMs = 60_000;
const noteMs = 15 * 60_000;

export type TimetablePort<Figures extends object> = {
  readonly gateway: Pick<Gateway, "dataDir" | "logger" | "now">;
  /** What it is, for the log: "prune". */
  readonly what: string;
  readonly runs: ScheduledRuns<Figures>;
  /** 0: never. Asked with each look. */
  readonly everyHours: () => number;
  /** Nothing begins for so long after the start. */
  readonly restMs?: number;
  /** Is to be over before it is looked whether this is due. */
  readonly behind?: () => Promise<void>;
  /** Does it. `ending`: the gateway ends. Undefined: it is due still, and tried again with the next look. */
  readonly work: (ending: AbortSignal) => Promise<Omit<ScheduledRun<Figures>, "at"> | undefined>;
  readonly monotonicMs: () => number;
};

export class Timetable<Figures extends object> {
  readonly #port: TimetablePort<Figures>;
  readonly #ending = new AbortController();
  /** Up to when the time that the gateway was up is in the row. */
  #notedMs: number;
  /** Nothing begins before. */
  #restsUntilMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(port: TimetablePort<Figures>) {
    this.#port = port;
    this.#notedMs = port.monotonicMs();
    this.#restsUntilMs = this.#notedMs + (port.restMs ?? 0);
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
    void this.look();
  }

  /** Does it where it is due. Never throws. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((error: unknown) => {
        this.#warn(error);
        this.#restsUntilMs = this.#port.monotonicMs() + noteMs;
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #look(): Promise<void> {
    const { gateway, runs, everyHours, behind, work, monotonicMs } = this.#port;
    await behind?.();
    if (everyHours() === 0 || gateway.dataDir.box !== undefined || this.#ending.signal.aborted) return;
    const last = runs.last();
    const upMs = this.#upMs();
    const sinceMs = last.at === null ? 0 : gateway.now().getTime() - Date.parse(last.at);
    const isDue = Math.max(upMs, sinceMs) >= everyHours() * hourMs;
    if (isDue && monotonicMs() >= this.#restsUntilMs) {
      const run = await work(this.#ending.signal);
      if (run === undefined) return;
      runs.note({ ...run, at: gateway.now().toISOString(), upMs: 0 } as Parameters<typeof runs.note>[0]);
      this.#notedMs = monotonicMs();
    } else if (upMs - last.upMs >= noteMs) this.#note();
  }

  #upMs(): number {
    return this.#port.runs.last().upMs + this.#port.monotonicMs() - this.#notedMs;
  }

  #note(): void {
    const { runs, monotonicMs } = this.#port;
    runs.note({ ...runs.last(), upMs: this.#upMs() });
    this.#notedMs = monotonicMs();
  }

  #warn(error: unknown): void {
    this.#port.gateway.logger.warn(
      { err: error },
      `the time of the scheduled ${this.#port.what} could not be noted`,
    );
  }

  /** Ends when what runs has ended; notes how long the gateway was up. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#running;
    try {
      this.#note();
    } catch (error) {
      this.#warn(error);
    }
  }
}
