// Sends each account its report once a day (docs/operations.md, "Daily reports"). One look is a task of a gateway's upkeep.
//
// Invariants
// - Of a day on the wall one mail goes out at most: what may have arrived is not sent again, and what it covered is in the next one.
// - The time that reports cover has no gaps: the next one begins where the last that surely arrived ended.
// - Each account stands for itself.

import { Calendar } from "../../../ingest/schedule/calendar.ts";
import { Zone } from "../../../ingest/schedule/zone.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { Gateway } from "../../gateway.ts";
import { handOver, mayHaveArrived } from "../delivery/smtp.ts";
import { accountReport } from "./accountReport.ts";
import { type ReportRow, ReportRows, type ReportSettings, type ReportTry } from "./reportRows.ts";
import { type ReportMail, reportMail } from "./reportText.ts";

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;
const retryMsMax = 60 * minuteMs;
const doubtfulMax = 30;
/** Failures after which somebody else should hear of it. */
const failuresTold = 3;
const alertKind = "report-not-sent";

export class Reporting {
  readonly #gateway: Gateway;
  readonly #rows: ReportRows;
  readonly #stopping = new AbortController();
  /** Accounts whose `trying` is of this process. */
  readonly #mine = new Set<string>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#rows = new ReportRows(gateway.catalog.environment);
  }

  /** One round: sends what is due. */
  async look(): Promise<void> {
    for (const { account } of this.#rows.list()) {
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#lookAt(account);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#gateway.logger.warn({ account, err: error }, "report-not-made");
      }
    }
  }

  async #lookAt(account: string): Promise<void> {
    const row = this.#settled(account);
    const nowMs = this.#gateway.now().getTime();
    // One that is further off than it can be was noted by a clock that was set back since.
    if (row === undefined || (row.nextTryMs > nowMs && row.nextTryMs - nowMs <= retryMsMax)) return;
    const due = dueReport(row, nowMs);
    if (due === undefined) return;
    if (due.day === row.day) this.#rows.put(account, { ...row, settledMs: due.dueMs });
    else await this.#send(account, row, due);
  }

  /** The row, where what a process before this one left is no more to be settled. */
  #settled(account: string): ReportRow | undefined {
    const row = this.#rows.get(account);
    if (row === undefined) return undefined;
    const nowMs = this.#gateway.now().getTime();
    let now = row;
    if (row.trying !== null && !this.#mine.has(account)) now = doubted(row, row.trying);
    // Settled in what is now the future: the clock was set back.
    if (now.settledMs > nowMs + dayMs) now = { ...now, settledMs: nowMs, day: dayOf(now, nowMs) };
    if (now.coveredMs > nowMs) now = { ...now, coveredMs: nowMs };
    if (now !== row) this.#rows.put(account, now);
    return now;
  }

  async #send(account: string, row: ReportRow, due: ReportTry): Promise<void> {
    const { alerts, catalog, dataDir, logger, now } = this.#gateway;
    const mail = reportMail(await accountReport(this.#gateway, account, due), row.timeZone, row.doubtful);
    const subject = catalog.accounts.get(account)?.name ?? account;
    const messageId = `report.${account}.${due.day}@holdfast.${dataDir.identity.id}`;
    this.#mine.add(account);
    this.#rows.put(account, { ...row, trying: due });
    try {
      const { refused } = await handOver(
        dataDir.settings,
        { ...outgoing(mail, row), messageId },
        this.#stopping.signal,
      );
      if (refused > 0) logger.warn({ account: subject, refused }, "report-addresses-refused");
      this.#change(account, (then) => sent(then, due));
      alerts.resolve(alertKind, subject);
      logger.info({ account: subject, day: due.day }, "report-sent");
    } catch (error) {
      if (mayHaveArrived(error)) {
        logger.warn({ account: subject, day: due.day, err: error }, "report-may-not-have-arrived");
        return this.#change(account, (then) => doubted(then, due));
      }
      const failures = row.failures + 1;
      const wait = Math.min(retryMsMax, minuteMs * 2 ** Math.min(failures - 1, 10));
      const failure = isHoldfastError(error) ? error.message : String(error);
      const nextTryMs = now().getTime() + wait;
      const stopped = this.#stopping.signal.aborted;
      this.#change(account, (then) => ({
        ...{ ...then, trying: null },
        ...(!stopped && { failures, failure, nextTryMs }),
      }));
      if (stopped) throw error;
      logger.warn({ account: subject, failures, err: error }, "report-not-sent");
      if (failures < failuresTold) return;
      alerts.raise({
        ...{ kind: alertKind, severity: "warning", subject, figures: { failures } },
        message: "the daily report cannot be sent by mail. `holdfast report send` says why.",
      });
    } finally {
      this.#mine.delete(account);
    }
  }

  /** Settings may have changed, or gone, meanwhile. */
  #change(account: string, change: (row: ReportRow) => ReportRow): void {
    const row = this.#rows.get(account);
    if (row !== undefined) this.#rows.put(account, change(row));
  }

  /** Ends what is being sent. */
  stop(): void {
    this.#stopping.abort(new HoldfastError(ErrorCode.cancelled, "the gateway is stopping"));
  }
}

/** The report of now, as it would be sent: from the end of the last one, a day where there was none. */
export async function previewOf(gateway: Gateway, account: string, row: ReportRow): Promise<ReportMail> {
  const untilMs = gateway.now().getTime();
  const fromMs = Math.min(row.coveredMs, untilMs - minuteMs);
  return reportMail(await accountReport(gateway, account, { fromMs, untilMs }), row.timeZone, row.doubtful);
}

/** A mail to the addresses of these settings. */
export function outgoing({ subject, text, html }: ReportMail, { to, textOnly }: ReportSettings) {
  return { to, subject, text, ...(!textOnly && { html }) };
}

/** The newest due time that is not settled; undefined where none is. */
function dueReport(row: ReportRow, nowMs: number): ReportTry | undefined {
  const calendar = new Calendar({ ...row, windows: [], jitterSeconds: 0 });
  const dueMs = calendar.newestDue(row.settledMs, nowMs);
  if (dueMs === undefined) return undefined;
  return { day: dayOf(row, dueMs), dueMs, fromMs: row.coveredMs, untilMs: nowMs };
}

function dayOf({ timeZone }: ReportSettings, momentMs: number): string {
  return new Date(new Zone(timeZone).wallMs(momentMs)).toISOString().slice(0, 10);
}

function sent(row: ReportRow, { day, dueMs, untilMs }: ReportTry): ReportRow {
  const well = { trying: null, doubtful: [], failures: 0, failure: null, nextTryMs: 0 };
  return { ...row, ...well, day, settledMs: dueMs, coveredMs: untilMs };
}

function doubted(row: ReportRow, { day, dueMs }: ReportTry): ReportRow {
  const doubtful = [...row.doubtful, day].slice(-doubtfulMax);
  return { ...row, trying: null, doubtful, day, settledMs: dueMs, failures: 0, nextTryMs: 0 };
}
