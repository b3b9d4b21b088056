// Brings alerts by one way to people: what is new, worse or over in one message, and again what stays open (docs/concurrency.md, "Alerts").
//
// Invariants
// - Its row says up to which change everything was taken by the other side. It moves only behind that, so nothing is lost by a stop, and what a stop came
//   into is sent again, under the same id.
// - One message in `pauseMs` at most, whatever happens; it holds all that happened since. After a failure the pauses grow.

import type { Alert, AlertLog } from "../alertLog.ts";
import { type AlertMessage, type MessageKind, messageOf } from "./message.ts";
import type { Way } from "./way.ts";

export type CourierRow = {
  /** Of the alert log. */
  readonly change: number;
  /** Milliseconds since 1970; 0: never. */
  readonly sentMs: number;
  readonly remindedMs: number;
  readonly failures: number;
  readonly nextTryMs: number;
};

export type CourierPort = {
  readonly alerts: AlertLog;
  readonly row: () => CourierRow | undefined;
  /** Durable when it returns. */
  readonly keep: (row: CourierRow) => void;
  readonly gateway: AlertMessage["gateway"];
  readonly nowMs: () => number;
  /** Whether an alert is grave enough to be sent. */
  readonly isGrave: (alert: Alert) => boolean;
  /** 0: never. */
  readonly repeatMs: number;
};

const minuteMs = 60_000;
const pauseMs = 5 * minuteMs;
const retryMsMax = 60 * minuteMs;

export class Courier {
  readonly #way: Way;
  readonly #port: CourierPort;

  constructor(way: Way, port: CourierPort) {
    this.#way = way;
    this.#port = port;
  }

  /** Sends what is due. @throws HoldfastError alert-not-sent: tried again when its time has come; cancelled */
  async look(signal: AbortSignal): Promise<void> {
    const { alerts, keep, nowMs, isGrave } = this.#port;
    const now = nowMs();
    const known = this.#port.row();
    // One that was set up just now hears what is open, and not of what was.
    const row = known ?? { change: 0, sentMs: 0, remindedMs: now, failures: 0, nextTryMs: 0 };
    if (isAhead(row.nextTryMs, now, retryMsMax) || isAhead(row.sentMs + pauseMs, now, pauseMs)) return;
    const change = alerts.newestChange();
    const fresh = (known === undefined ? alerts.list() : alerts.changedAfter(row.change)).filter(isGrave);
    if (fresh.length > 0) {
      await this.#send("alerts", `${row.change}-${change}`, fresh, row, signal);
      return keep({ ...row, change, sentMs: now, failures: 0, nextTryMs: 0 });
    }
    if (known === undefined || change !== row.change) keep({ ...row, change });
    await this.#remind({ ...row, change }, signal);
  }

  async #remind(row: CourierRow, signal: AbortSignal): Promise<void> {
    const { alerts, keep, nowMs, isGrave, repeatMs } = this.#port;
    const now = nowMs();
    if (repeatMs === 0 || isAhead(row.remindedMs + repeatMs, now, repeatMs)) return;
    const isOld = ({ firstSeen }: Alert): boolean => now - Date.parse(firstSeen) >= repeatMs;
    const open = alerts
      .list()
      .filter((alert) => alert.acknowledged === null && isGrave(alert) && isOld(alert));
    if (open.length === 0) return;
    await this.#send("reminder", String(row.remindedMs), open, row, signal);
    keep({ ...row, sentMs: now, remindedMs: now, failures: 0, nextTryMs: 0 });
  }

  async #send(
    kind: MessageKind,
    key: string,
    alerts: readonly Alert[],
    row: CourierRow,
    signal: AbortSignal,
  ): Promise<void> {
    const { gateway, nowMs, keep } = this.#port;
    const time = new Date(nowMs()).toISOString();
    const id = `${gateway.id}:${kind}:${key}`;
    try {
      await this.#way.send(messageOf({ id, kind, gateway, time }, alerts), signal);
    } catch (error) {
      if (!signal.aborted) {
        const failures = row.failures + 1;
        const wait = Math.min(retryMsMax, minuteMs * 2 ** Math.min(failures - 1, 10));
        keep({ ...row, failures, nextTryMs: nowMs() + wait });
      }
      throw error;
    }
  }
}

/** Whether a moment is to come. One that is further off than it can be was noted by a clock that was set back since: it counts for nothing. */
function isAhead(momentMs: number, nowMs: number, mostMs: number): boolean {
  return momentMs > nowMs && momentMs - nowMs <= mostMs;
}
