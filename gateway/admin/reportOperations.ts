// What an administrator says of the daily reports of accounts. In the gateway's own process, or over its admin socket.

import { Calendar } from "../../ingest/schedule/calendar.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { addressesOf, isAddress } from "../alerts/alertSettings.ts";
import { handOver } from "../alerts/delivery/smtp.ts";
import { outgoing, previewOf } from "../alerts/reports/reporting.ts";
import { type ReportRow, ReportRows, type ReportSettings } from "../alerts/reports/reportRows.ts";
import type { ReportMail } from "../alerts/reports/reportText.ts";
import { noAccount } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";
import type { JobWatch } from "./job.ts";

export type ReportAnswer = ReportSettings & {
  readonly account: string;
  /** RFC 3339; null where no rule names a day. */
  readonly nextDue: string | null;
  /** The day of the last one, "2026-11-26"; null: none yet. */
  readonly lastDay: string | null;
  readonly doubtful: readonly string[];
  readonly failure: string | null;
};

export type ReportRequest = ReportSettings & { readonly account: string };

export interface ReportOperations {
  list(): Promise<ReportAnswer[]>;
  /** From now on; what was due before is not. @throws HoldfastError not-found, usage */
  set(request: ReportRequest): Promise<ReportAnswer>;
  /** @throws HoldfastError not-found */
  remove(account: string): Promise<void>;
  /** The report as it would be sent now. Nothing is sent. @throws HoldfastError not-found */
  preview(account: string): Promise<ReportMail>;
  /** Sends it now as well; the one that is due is sent all the same. @throws HoldfastError not-found, alert-not-sent, cancelled */
  send(account: string, watch: JobWatch<never>): Promise<{ to: readonly string[]; refused: number }>;
}

export const reportLimits = { addresses: 50, rules: 16 } as const;

export function reportOperations(gateway: Gateway): ReportOperations {
  const rows = new ReportRows(gateway.catalog.environment);
  const idOf = (name: string): string => {
    const account = gateway.catalog.accounts.byName(name);
    if (account === undefined) throw noAccount(name);
    return account.id;
  };
  const rowOf = (name: string): { id: string; row: ReportRow } => {
    const id = idOf(name);
    const row = rows.get(id);
    if (row !== undefined) return { id, row };
    throw new HoldfastError(ErrorCode.notFound, `no report of ${name} is sent`, {
      next: "holdfast report set",
    });
  };
  const answer = (account: string, row: ReportRow): ReportAnswer => {
    const { to, rules, timeZone, textOnly, day: lastDay, doubtful, failure } = row;
    const due = new Calendar({ rules, timeZone, windows: [], jitterSeconds: 0 }).nextDue(
      gateway.now().getTime(),
    );
    const nextDue = due === undefined ? null : new Date(due).toISOString();
    return { account, to, rules, timeZone, textOnly, nextDue, lastDay, doubtful, failure };
  };
  return {
    list: async () =>
      rows.list().flatMap(({ account, row }) => {
        const name = gateway.catalog.accounts.get(account)?.name;
        return name === undefined ? [] : [answer(name, row)];
      }),
    set: async ({ account, ...settings }) => {
      const id = idOf(account);
      check(settings);
      requireServer(gateway);
      const nowMs = gateway.now().getTime();
      const fresh = { ...{ day: null, doubtful: [], trying: null }, coveredMs: nowMs };
      const known = rows.get(id) ?? fresh;
      const row = { ...known, ...settings, settledMs: nowMs, failures: 0, failure: null, nextTryMs: 0 };
      rows.put(id, row);
      return answer(account, row);
    },
    remove: async (account) => {
      const { id } = rowOf(account);
      rows.remove(id);
      gateway.alerts.resolve("report-not-sent", account);
    },
    preview: async (account) => {
      const { id, row } = rowOf(account);
      return await previewOf(gateway, id, row);
    },
    send: async (account, { signal }) => {
      const { id, row } = rowOf(account);
      const mail = outgoing(await previewOf(gateway, id, row), row);
      const { identity, settings } = gateway.dataDir;
      const messageId = `report.${id}.asked.${gateway.now().getTime()}@holdfast.${identity.id}`;
      const { refused } = await handOver(settings, { ...mail, messageId }, signal);
      return { to: row.to, refused };
    },
  };
}

/** @throws HoldfastError usage */
function check({ to, rules, timeZone }: ReportSettings): void {
  const wrong = (what: string, next: string): HoldfastError =>
    new HoldfastError(ErrorCode.usage, what, { next });
  if (to.length === 0 || to.length > reportLimits.addresses)
    throw wrong("a report goes to 1 to 50 addresses", "Give --to ADDRESS, again for more.");
  const bad = to.find((each) => !isAddress(each) || addressesOf(each).length !== 1);
  if (bad !== undefined) throw wrong(`not an address: ${bad}`, "Write it like ops@example.com.");
  if (rules.length === 0 || rules.length > reportLimits.rules)
    throw wrong("a report needs 1 to 16 rules", 'Give --schedule "daily at 07:00".');
  new Calendar({ rules, timeZone, windows: [], jitterSeconds: 0 });
}

/** @throws HoldfastError usage */
function requireServer({ dataDir }: Gateway): void {
  const { alertSmtp, alertMailFrom } = dataDir.settings;
  if (alertSmtp !== "" && alertMailFrom !== "") return;
  throw new HoldfastError(ErrorCode.usage, "no mail server is set up", {
    next: "Set alert-smtp and alert-mail-from in config.toml, and reload the gateway.",
  });
}
