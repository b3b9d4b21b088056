// What a report says of an account: counts, sizes, times, and names of devices, items and replicas. No name of a file, and no words that an agent
// sent: they may have one.

import type { Gateway } from "../../gateway.ts";
import { itemsOf } from "../../health/items.ts";
import { replicaLag } from "../../health/replicaLag.ts";
import type { JobRow } from "../../jobs/jobRows.ts";
import { storedBytesOf } from "../../quota/accountQuotas.ts";

/** failed: its newest try failed; missed: one was due and did not come; done: backed up; quiet: neither came nor was due. */
export type ItemVerdict = "failed" | "missed" | "done" | "quiet";

export type ReportedItem = {
  /** DEVICE/ITEM. */
  readonly name: string;
  readonly verdict: ItemVerdict;
  /** Backups in the time of the report. */
  readonly backups: number;
  readonly withWarnings: number;
  readonly failed: number;
  /** The code of the last failure; null for none. */
  readonly code: string | null;
  /** Sealed bytes that came in. */
  readonly receivedBytes: number;
  /** When the newest snapshot came, RFC 3339; null for none. */
  readonly newest: string | null;
};

export type ReportedReplica = {
  readonly name: string;
  readonly vault: string;
  /** Without a receipt. */
  readonly snapshots: number;
  readonly lagSeconds: number;
  /** The code of why its last run failed; null where it did not. */
  readonly failure: string | null;
};

export type AccountReport = {
  readonly gateway: string;
  readonly account: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** What is not well first, then by name. */
  readonly items: readonly ReportedItem[];
  readonly storedBytes: number;
  readonly quotaBytes: number | null;
  readonly replicas: readonly ReportedReplica[];
  /** Open alerts about the account, those of items above left out. */
  readonly alerts: readonly { readonly kind: string; readonly severity: string; readonly subject: string }[];
};

const ranks: Readonly<Record<ItemVerdict, number>> = { failed: 0, missed: 1, quiet: 2, done: 2 };

/** @throws HoldfastError what opening a vault says */
export async function accountReport(
  gateway: Gateway,
  account: string,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Promise<AccountReport> {
  const row = gateway.catalog.accounts.get(account);
  const name = row?.name ?? account;
  const jobs = gateway.jobs
    .list({ kind: "backup", failed: false, limit: Number.MAX_SAFE_INTEGER })
    .filter(({ ended }) => ended !== null && Date.parse(ended) >= fromMs && Date.parse(ended) < untilMs);
  const bySubject = Map.groupBy(jobs, ({ subject }) => subject);
  const open = gateway.alerts.list();
  const isOpen = (kind: string, subject: string): boolean =>
    open.some((alert) => alert.kind === kind && alert.subject === subject);
  const items: ReportedItem[] = [];
  const replicas: ReportedReplica[] = [];
  for (const vault of await gateway.vaultsOf(account)) {
    for (const { device, item, received, isHere } of itemsOf(gateway, vault)) {
      if (!isHere) continue;
      const subject = `${name}/${device}/${item}`;
      const counts = countsOf(bySubject.get(subject) ?? []);
      const verdict = isOpen("backup-failed", subject)
        ? "failed"
        : isOpen("backup-missed", subject)
          ? "missed"
          : counts.backups > 0
            ? "done"
            : "quiet";
      items.push({ name: `${device}/${item}`, verdict, ...counts, newest: received });
    }
    const vaultName = gateway.catalog.vaults.get(vault.id)?.name ?? vault.id;
    for (const replica of gateway.catalog.replicas.list()) {
      const { snapshots, seconds, failure } = replicaLag(vault, replica.id, gateway.now());
      const lag = { snapshots, lagSeconds: seconds, failure: failure?.code ?? null };
      replicas.push({ name: replica.name, vault: vaultName, ...lag });
    }
  }
  items.sort((a, b) => ranks[a.verdict] - ranks[b.verdict] || (a.name < b.name ? -1 : 1));
  const ofItems = ["backup-failed", "backup-missed"];
  const isOurs = (subject: string): boolean => subject === name || subject.startsWith(`${name}/`);
  return {
    ...{ gateway: gateway.dataDir.settings.name, account: name, fromMs, untilMs, items, replicas },
    storedBytes: await storedBytesOf(gateway, account),
    quotaBytes: row?.quota?.bytes ?? null,
    alerts: open
      .filter(({ kind, subject }) => isOurs(subject) && !ofItems.includes(kind))
      .map(({ kind, severity, subject }) => ({ kind, severity, subject })),
  };
}

/** `rows`: the newest first. */
function countsOf(
  rows: readonly JobRow[],
): Pick<ReportedItem, "backups" | "withWarnings" | "failed" | "code" | "receivedBytes"> {
  const of = (...results: JobRow["result"][]): JobRow[] =>
    rows.filter(({ result }) => results.includes(result));
  const failed = of("failed", "interrupted");
  return {
    backups: of("done", "warnings").length,
    withWarnings: of("warnings").length,
    failed: failed.length,
    code: failed[0]?.failure?.code ?? null,
    receivedBytes: rows.reduce((sum, { figures }) => sum + (figures.bytes ?? 0), 0),
  };
}
