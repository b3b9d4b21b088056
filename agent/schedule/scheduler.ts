// When which backup begins (docs/schedules.md, "What the scheduler does"). It knows no real clock, no process and no gateway: what it
// works with is given, so that years pass in a test's seconds.
//
// Invariants
// - One backup at a time.
// - A due time is settled only after its snapshot, or when it is passed over; that is durable before the next one is looked at.
// - `look` may be called at any time, and again: it decides by what the clocks say then.

import { Calendar, shareOf } from "../../ingest/schedule/calendar.ts";
import type { DefinedItem } from "../../ingest/schedule/itemDefinition.ts";
import type { ReportRequest } from "../../ingest/wire/messages.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { ScheduleFile } from "./scheduleFile.ts";

/**
 * What became of a backup. `busy`: the state directory is in use; `stopped`: by the signal; `cancelled`: by an administrator at the gateway; `held`: it
 * is to wait, and was not begun.
 */
export type BackupEnd =
  | { readonly end: "snapshot"; readonly snapshot: string; readonly warnings: number }
  | { readonly end: "busy" | "stopped" | "cancelled" }
  | { readonly end: "held"; readonly why: string }
  | { readonly end: "failed"; readonly code: ErrorCode; readonly message: string };

export type SchedulerPort = {
  /** Milliseconds since 1970, as the machine believes. */
  readonly wallMs: () => number;
  /** A clock that nobody sets. */
  readonly monotonicMs: () => number;
  /** 0 to 1, by chance. */
  readonly random: () => number;
  /** The device's id. */
  readonly device: string;
  readonly file: ScheduleFile;
  /** Why an item that asks for it is to wait now ("the machine runs on its battery"); undefined: it is not. Never throws. */
  readonly obstacle: (item: DefinedItem, signal: AbortSignal) => Promise<string | undefined>;
  /** Never throws. */
  readonly backUp: (item: DefinedItem, signal: AbortSignal) => Promise<BackupEnd>;
  /** Worth a line in the log. */
  readonly tell: (event: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Something happened that `look` should look at. */
  readonly wake: () => void;
};

type Entry = {
  readonly item: DefinedItem;
  readonly calendar: Calendar;
  readonly share: number;
  settledMs: number;
  /** A due time that waits to be begun again, or for its turn. */
  pendingMs: number | undefined;
  /** The newest that was seen when it came: it is not missed, however long it waits. */
  seenMs: number | undefined;
  /** The one of which the gateway was told that it failed. */
  toldMs: number | undefined;
  /** It waits for an obstacle to go, and the gateway was told. */
  held: boolean;
  /** Failures in a row. */
  failures: number;
  /** By the clock that nobody sets; 0: at once. */
  retryAtMs: number;
};

type Running = {
  readonly entry: Entry;
  readonly stopping: AbortController;
  /** When its window closes, where it is to be stopped then. */
  readonly closesMs: number | undefined;
  readonly ended: Promise<void>;
};

const minuteMs = 60_000;
/** The longest between two looks: so late a machine that slept is noticed. */
export const lookMs = minuteMs;
/** Later than this a due time was missed. */
const lateMs = 10 * minuteMs;
/** The clocks differ by more than this: one was set, or the machine slept. */
const jumpMs = 1.5 * minuteMs;
const retryMaxMs = 60 * minuteMs;

export class Scheduler {
  readonly #port: SchedulerPort;
  #entries: readonly Entry[] = [];
  #running: Running | undefined;
  #looked: { readonly wallMs: number; readonly monotonicMs: number } | undefined;
  #stopped = false;

  constructor(port: SchedulerPort) {
    this.#port = port;
  }

  /** Obeys these from now on. A backup that runs goes on as it was begun. */
  obey(items: readonly DefinedItem[]): void {
    const { file, device } = this.#port;
    const nowMs = this.#port.wallMs();
    const before = new Map(this.#entries.map((entry) => [entry.item.name, entry]));
    this.#entries = items.map((item): Entry => {
      const { name, revision } = item;
      const known = before.get(name);
      const isKnown = known !== undefined && JSON.stringify(known.item) === JSON.stringify(item);
      if (isKnown) return known;
      const stored = file.settled(name);
      const isNew = known !== undefined || stored?.revision !== revision;
      const calendar = new Calendar(item.definition);
      // What was due before it was seen counts for nothing; what is being tried goes on.
      const settledMs = isNew ? nowMs : (stored?.settledMs ?? nowMs);
      if (isNew) this.#keep(() => file.settle(name, { revision, settledMs }));
      const fresh = {
        pendingMs: undefined,
        seenMs: undefined,
        toldMs: undefined,
        held: false,
        failures: 0,
        retryAtMs: 0,
      };
      return { ...fresh, ...known, item, calendar, share: shareOf(device, name), settledMs };
    });
  }

  /** Begins what is due, and says in how many milliseconds to look again at the latest. */
  look(): number {
    const nowMs = this.#port.wallMs();
    this.#watchClocks(nowMs);
    if (this.#stopped) return lookMs;
    const waits = [lookMs];
    if (this.#running !== undefined) waits.push(this.#watchWindow(this.#running, nowMs));
    const ready: { readonly entry: Entry; readonly dueMs: number }[] = [];
    for (const entry of this.#entries) {
      const { definition } = entry.item;
      if (!definition.enabled) continue;
      const dueMs = entry.calendar.newestDue(entry.settledMs, nowMs) ?? entry.pendingMs;
      if (dueMs === undefined) {
        waits.push((entry.calendar.nextDue(nowMs) ?? Number.POSITIVE_INFINITY) - nowMs);
        continue;
      }
      const waitMs = this.#wait(entry, dueMs, nowMs);
      if (waitMs > 0) waits.push(waitMs);
      else if (entry.seenMs === dueMs || !this.#isMissed(entry, dueMs, nowMs)) {
        entry.seenMs = dueMs;
        ready.push({ entry, dueMs });
      }
    }
    const [first] = ready.sort((a, b) => a.dueMs - b.dueMs);
    if (first !== undefined && this.#running === undefined) {
      this.#running = this.#begin(first.entry, first.dueMs, nowMs);
      waits.push(this.#watchWindow(this.#running, nowMs));
    }
    return Math.max(0, Math.min(...waits));
  }

  /** How long until the backup of a due time may begin. */
  #wait(entry: Entry, dueMs: number, nowMs: number): number {
    const beginMs = entry.calendar.opensAt(Math.max(entry.calendar.beginOf(dueMs, entry.share), nowMs));
    return Math.max(beginMs - nowMs, entry.retryAtMs - this.#port.monotonicMs());
  }

  /** A due time that is seen for the first time may have come while nobody looked. */
  #isMissed(entry: Entry, dueMs: number, nowMs: number): boolean {
    const { name, definition } = entry.item;
    const late = nowMs - entry.calendar.beginOf(dueMs, entry.share);
    if (late <= lateMs) return false;
    const due = isoOf(dueMs);
    const facts = { item: name, due, late_seconds: Math.round(late / 1000) };
    this.#port.tell(definition.skipMissed ? "passed-over" : "made-up-for", facts);
    if (!definition.skipMissed) return false;
    const message = `the machine was off or asleep at ${due}`;
    this.#keep(() =>
      this.#port.file.toTell(name, { due, outcome: "missed", code: ErrorCode.cancelled, message }),
    );
    this.#settle(entry, dueMs);
    this.#port.wake();
    return true;
  }

  #settle(entry: Entry, dueMs: number): void {
    entry.settledMs = Math.max(entry.settledMs, dueMs);
    entry.pendingMs = undefined;
    const { name, revision } = entry.item;
    const { settledMs } = entry;
    this.#keep(() => this.#port.file.settle(name, { revision, settledMs }));
  }

  /** A full disk is no reason to stop backing up: what is not on it is known until this process ends. */
  #keep(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#port.tell("state-not-written", { code: error.code, message: error.message });
    }
  }

  #begin(entry: Entry, dueMs: number, nowMs: number): Running {
    const { item, calendar } = entry;
    const stopping = new AbortController();
    const closesMs = item.definition.stopAtWindowEnd ? calendar.closesAt(nowMs) : undefined;
    const ended = this.#backUp(item, dueMs, stopping.signal).then((end) => {
      this.#running = undefined;
      this.#ended(entry, dueMs, end);
      this.#port.wake();
    });
    return { entry, stopping, closesMs, ended };
  }

  async #backUp(item: DefinedItem, dueMs: number, signal: AbortSignal): Promise<BackupEnd> {
    const { skipOnBattery = false, skipOnMetered = false } = item.definition;
    const why = skipOnBattery || skipOnMetered ? await this.#port.obstacle(item, signal) : undefined;
    if (signal.aborted) return { end: "stopped" };
    if (why !== undefined) return { end: "held", why };
    this.#port.tell("backup-begins", { item: item.name, due: isoOf(dueMs), revision: item.revision });
    return await this.#port.backUp(item, signal);
  }

  /** What becomes of the due time. The item's entry may be another by now, or none. */
  #ended({ item }: Entry, dueMs: number, end: BackupEnd): void {
    const facts = { item: item.name, due: isoOf(dueMs) };
    const entry = this.#entries.find((each) => each.item.name === item.name);
    // Once, not with each look while it waits.
    if (end.end !== "held" || entry?.held === false)
      this.#port.tell(end.end === "snapshot" ? "backup-done" : `backup-${end.end}`, { ...facts, ...end });
    if (entry === undefined) return;
    const isSettled = end.end === "snapshot" || end.end === "cancelled";
    if (!isSettled) entry.pendingMs = Math.max(dueMs, entry.pendingMs ?? dueMs);
    const nowMs = this.#port.monotonicMs();
    if (end.end === "busy" || end.end === "held") entry.retryAtMs = nowMs + minuteMs;
    if (end.end === "held") this.#held(entry, dueMs, end.why);
    else entry.held = false;
    if (isSettled) {
      entry.failures = 0;
      entry.retryAtMs = 0;
      this.#settle(entry, dueMs);
    }
    if (end.end === "failed") this.#failed(entry, dueMs, end);
  }

  /** It is made up for when the obstacle is gone; the gateway is told once. */
  #held(entry: Entry, dueMs: number, why: string): void {
    if (entry.held) return;
    entry.held = true;
    const due = isoOf(dueMs);
    this.#keep(() =>
      this.#port.file.toTell(entry.item.name, {
        due,
        outcome: "held",
        code: ErrorCode.cancelled,
        message: why,
      }),
    );
  }

  #failed(entry: Entry, dueMs: number, { code, message }: BackupEnd & { readonly end: "failed" }): void {
    entry.failures++;
    const pauseMs = Math.min(retryMaxMs, minuteMs * 2 ** Math.min(entry.failures - 1, 10));
    entry.retryAtMs = this.#port.monotonicMs() + pauseMs * (1 - this.#port.random() / 4);
    if (entry.toldMs === dueMs) return;
    entry.toldMs = dueMs;
    const report: ReportRequest = { due: isoOf(dueMs), outcome: "failed", code, message };
    this.#keep(() => this.#port.file.toTell(entry.item.name, report));
  }

  /** Stops a backup whose window closed. Says how long that is away. */
  #watchWindow({ closesMs, stopping, entry }: Running, nowMs: number): number {
    if (closesMs === undefined || stopping.signal.aborted) return lookMs;
    if (nowMs < closesMs) return closesMs - nowMs;
    this.#port.tell("window-closed", { item: entry.item.name });
    stopping.abort();
    return lookMs;
  }

  #watchClocks(nowMs: number): void {
    const now = { wallMs: nowMs, monotonicMs: this.#port.monotonicMs() };
    const before = this.#looked;
    this.#looked = now;
    const jump = before === undefined ? 0 : nowMs - before.wallMs - (now.monotonicMs - before.monotonicMs);
    if (Math.abs(jump) > jumpMs) this.#port.tell("clock-jumped", { seconds: Math.round(jump / 1000) });
    for (const entry of this.#entries) {
      // Settled in what is now the future: the clock was set back. A little is what every clock is corrected by.
      if (entry.settledMs > nowMs + lateMs) entry.settledMs = nowMs;
      if ((entry.pendingMs ?? 0) > nowMs + lateMs) entry.pendingMs = undefined;
    }
  }

  /** Stops a backup that runs, and begins no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#running?.stopping.abort();
    await this.#running?.ended;
  }
}

function isoOf(momentMs: number): string {
  return new Date(momentMs).toISOString();
}
