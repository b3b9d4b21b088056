// Items whose backups fail, or do not come.

import type { Gateway } from "../../gateway.ts";
import { type ItemState, itemsOf } from "../../health/items.ts";
import type { RaisedAlert } from "../alertLog.ts";
import { BackupHistory } from "./backupHistory.ts";
import type { Condition } from "./condition.ts";
import { Expectations } from "./expectations.ts";

const hourMs = 3_600_000;
/** Agents that went away in the middle mostly come back by themselves. */
const interruptedMs = 12 * hourMs;

export function backupsCondition(gateway: Gateway): Condition {
  const history = new BackupHistory(gateway.jobs);
  const expectations = new Expectations(gateway.catalog.environment);
  const find = async (): Promise<RaisedAlert[]> => {
    const found: RaisedAlert[] = [];
    for (const { id } of gateway.catalog.vaults.list()) {
      for (const item of itemsOf(gateway, await gateway.vault(id))) {
        if (!item.isHere) continue;
        const missed = missedOf(item, expectations, history, gateway.now().getTime());
        const failed = failedOf(item, history, gateway.now().getTime());
        found.push(...[missed, failed].filter((alert) => alert !== undefined));
      }
    }
    return found;
  };
  return { kinds: ["backup-missed", "backup-failed"], find };
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
