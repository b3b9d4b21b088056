// Items whose backups fail, or do not come.

import { Calendar } from "../../../ingest/schedule/calendar.ts";
import type { DefinitionRow, ReportRow } from "../../catalog/itemDefinitions.ts";
import type { Gateway } from "../../gateway.ts";
import { type ItemState, itemsOf } from "../../health/items.ts";
import type { RaisedAlert } from "../alertLog.ts";
import { BackupHistory } from "./backupHistory.ts";
import type { Condition } from "./condition.ts";
import { Expectations } from "./expectations.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** What a scheduled backup may take, or a machine may be slow to begin, before it is missed. */
const graceMs = 2 * hourMs;
/** Agents that went away in the middle mostly come back by themselves. */
const interruptedMs = 12 * hourMs;

export function backupsCondition(gateway: Gateway): Condition {
  const history = new BackupHistory(gateway.jobs);
  const expectations = new Expectations(gateway.catalog.environment);
  const find = async (): Promise<RaisedAlert[]> => {
    const found: RaisedAlert[] = [];
    const running = runningItems(gateway);
    for (const { id } of gateway.catalog.vaults.list()) {
      const vault = await gateway.vault(id);
      const { definitions } = vault.catalog;
      for (const item of itemsOf(gateway, vault)) {
        if (!item.isHere) continue;
        const row = definitions.get(item.itemId);
        const report = row && reportOf(item, definitions.report(item.itemId));
        const nowMs = gateway.now().getTime();
        const missed =
          expectations.get(item.itemId) === undefined && row !== undefined && !byRhythm(row)
            ? (report?.missed ?? overdueOf(item, row, running, nowMs))
            : missedOf(item, expectations, history, nowMs);
        const failed = report?.failed ?? failedOf(item, history, nowMs);
        found.push(...[missed, failed].filter((alert) => alert !== undefined));
      }
    }
    return found;
  };
  return { kinds: ["backup-missed", "backup-failed"], find };
}

/** Items of which a backup runs. */
function runningItems({ jobs }: Gateway): ReadonlySet<string> {
  const rows = jobs.list({ kind: "backup", failed: false, limit: Number.MAX_SAFE_INTEGER });
  return new Set(
    rows.flatMap(({ result, session }) => (result === "running" && session ? [session.item] : [])),
  );
}

/** Nothing says when its next backup is due. */
function byRhythm({ definition }: DefinitionRow): boolean {
  return definition.enabled && definition.rules.length === 0;
}

/** By the item's schedule: what was due behind its newest snapshot did not come. */
function overdueOf(
  item: ItemState,
  { changed, definition }: DefinitionRow,
  running: ReadonlySet<string>,
  nowMs: number,
): RaisedAlert | undefined {
  if (!definition.enabled || running.has(item.itemId)) return undefined;
  const calendar = new Calendar(definition);
  const sinceMs = Math.max(Date.parse(changed), Date.parse(item.received ?? changed));
  const dueMs = calendar.nextDue(sinceMs);
  if (dueMs === undefined) return undefined;
  const lateMs = nowMs - calendar.beginOf(dueMs, 1) - graceMs;
  if (!(lateMs > 0)) return undefined;
  const usualMs = (calendar.nextDue(dueMs) ?? dueMs) - dueMs;
  return {
    kind: "backup-missed",
    severity: lateMs > 4 * Math.max(usualMs, dayMs) ? "critical" : "warning",
    subject: subjectOf(item),
    message:
      "a backup was due by its schedule and did not come. Look at the device and at its `holdfast agent run`.",
    figures: { last: item.received, due: new Date(dueMs).toISOString(), expectation: "its schedule" },
  };
}

/** What its device told of a run that did not come about, while no newer snapshot is there. */
function reportOf(
  item: ItemState,
  row: ReportRow | undefined,
): { readonly failed?: RaisedAlert; readonly missed?: RaisedAlert } | undefined {
  // What is held back is nobody's alarm until it is overdue.
  if (row === undefined || row.outcome === "held" || (item.received !== null && item.received > row.at))
    return undefined;
  const { outcome, due, code, message, job } = row;
  const alert = {
    severity: "warning",
    subject: subjectOf(item),
    figures: { job, code, due },
  } as const;
  if (outcome === "failed") {
    const failed = `its scheduled backup failed: ${message}. Look at the agent's output on the device.`;
    return { failed: { ...alert, kind: "backup-failed", message: failed } };
  }
  const missed = `its scheduled backup was passed over: ${message}.`;
  return { missed: { ...alert, kind: "backup-missed", message: missed } };
}

function subjectOf({ account, device, item }: ItemState): string {
  return `${account}/${device}/${item}`;
}

function missedOf(
  item: ItemState,
  expectations: Expectations,
  history: BackupHistory,
  nowMs: number,
): RaisedAlert | undefined {
  const said = expectations.get(item.itemId);
  if (said?.everySeconds === null) return undefined;
  const everyMs = said === undefined ? history.expectedMs(item.itemId) : said.everySeconds * 1000;
  const lastMs = Date.parse(item.received ?? said?.since ?? "");
  if (everyMs === undefined || !(nowMs - lastMs > everyMs)) return undefined;
  return {
    kind: "backup-missed",
    severity: nowMs - lastMs > 4 * everyMs ? "critical" : "warning",
    subject: subjectOf(item),
    message:
      item.received === null
        ? "there is no snapshot of it yet. Look at the device and its agent."
        : "no new snapshot came when one was expected. Look at the device and its agent; `holdfast alert expect` says how often one should.",
    figures: {
      last: item.received,
      age_hours: hours(nowMs - lastMs),
      expected_hours: hours(everyMs),
      expectation: said === undefined ? "its rhythm" : "set",
    },
  };
}

function failedOf(item: ItemState, history: BackupHistory, nowMs: number): RaisedAlert | undefined {
  const newest = history.newest(item.itemId);
  if (newest === undefined || (newest.result !== "failed" && newest.result !== "interrupted"))
    return undefined;
  const endMs = Date.parse(newest.ended ?? newest.started);
  // A snapshot that came by another way, say with a box.
  if (item.received !== null && Date.parse(item.received) > endMs) return undefined;
  if (newest.result === "interrupted" && nowMs - endMs < interruptedMs) return undefined;
  return {
    kind: "backup-failed",
    severity: "warning",
    subject: subjectOf(item),
    message: `its newest backup ${newest.result === "failed" ? "failed" : "was interrupted and did not go on"}: ${newest.failure?.message ?? "nobody saw its end"}. Look at the agent's output on the device.`,
    figures: { job: newest.id, code: newest.failure?.code ?? null, ended: newest.ended },
  };
}

function hours(ms: number): number {
  return Math.round(ms / hourMs);
}
