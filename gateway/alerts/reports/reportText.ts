// A report as a mail: the same words as plain text and as HTML.
//
// Invariant: whatever a name has in it, it is text: escaped in HTML, on one line.

import { Zone } from "../../../ingest/schedule/zone.ts";
import type { AccountReport, ItemVerdict, ReportedItem, ReportedReplica } from "./accountReport.ts";

export type ReportMail = { readonly subject: string; readonly text: string; readonly html: string };

type Section = {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, ...words: string[]])[];
};

/** Items that a mail lists; those that are not well come first, the rest is counted. */
const listedMax = 500;
const verdictWords: Readonly<Record<ItemVerdict, string>> = {
  failed: "FAILED",
  missed: "MISSED",
  done: "backed up",
  quiet: "not due",
};

/** `doubtful`: days whose report may not have arrived. */
export function reportMail(report: AccountReport, timeZone: string, doubtful: readonly string[]): ReportMail {
  const zone = new Zone(timeZone);
  const timeOf = (ms: number): string =>
    new Date(zone.wallMs(ms)).toISOString().slice(0, 16).replace("T", " ");
  const { account, gateway, items, fromMs, untilMs } = report;
  const counts = (["failed", "missed", "done", "quiet"] as const).flatMap((verdict) => {
    const count = items.filter((item) => item.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${verdictWords[verdict].toLowerCase()}`];
  });
  const summary = counts.length === 0 ? "no items" : counts.join(", ");
  const intro = [
    `Backups of ${account} on ${gateway}, ${timeOf(fromMs)} to ${timeOf(untilMs)} (${timeZone}).`,
    `${items.length === 1 ? "1 item" : `${items.length} items`}: ${summary}.`,
    sizes(report),
    oldest(items, timeOf),
    ...(doubtful.length === 0
      ? []
      : [`The report of ${doubtful.join(", ")} may not have arrived: this one covers its time as well.`]),
  ].filter((line) => line !== "");
  const sections = [
    itemSection(items, timeOf),
    replicaSection(report.replicas),
    {
      title: "Open alerts",
      rows: report.alerts.map(({ kind, severity, subject }) => [subject, severity, kind] as const),
    },
  ].filter(({ rows }) => rows.length > 0);
  const end = `On the gateway's machine: holdfast job list, holdfast alert list, holdfast report list.`;
  return {
    subject: flat(`holdfast ${gateway}: ${account}: ${summary}`),
    text: textOf(intro, sections, end),
    html: htmlOf(intro, sections, end),
  };
}

function sizes({ items, storedBytes, quotaBytes }: AccountReport): string {
  const came = items.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  const quota = quotaBytes === null ? "" : ` of ${bytesText(quotaBytes)}`;
  return `${bytesText(came)} came in; ${bytesText(storedBytes)}${quota} are stored.`;
}

function oldest(items: readonly ReportedItem[], timeOf: (ms: number) => string): string {
  const none = items.find(({ newest }) => newest === null);
  if (none !== undefined) return `Oldest: ${none.name} has no backup yet.`;
  const [first] = items.toSorted((a, b) => Date.parse(a.newest ?? "") - Date.parse(b.newest ?? ""));
  return first?.newest ? `Oldest: ${first.name}, backed up last ${timeOf(Date.parse(first.newest))}.` : "";
}

function itemSection(items: readonly ReportedItem[], timeOf: (ms: number) => string): Section {
  const rows = items.slice(0, listedMax).map((item) => {
    const { name, verdict, backups, withWarnings, failed, code, receivedBytes, newest } = item;
    const words = [
      ...(backups > 0
        ? [`${backups} ${backups === 1 ? "backup" : "backups"}, ${bytesText(receivedBytes)}`]
        : []),
      ...(withWarnings > 0 ? [`${withWarnings} with warnings`] : []),
      ...(failed > 0 ? [`${failed} failed${code === null ? "" : ` (${code})`}`] : []),
      newest === null ? "no backup yet" : `newest ${timeOf(Date.parse(newest))}`,
    ];
    return [name, verdictWords[verdict], words.join("; ")] as const;
  });
  const more = items.length - rows.length;
  return { title: "Items", rows: [...rows, ...(more > 0 ? [[`... and ${more} more`] as const] : [])] };
}

function replicaSection(replicas: readonly ReportedReplica[]): Section {
  const rows = replicas.map(({ name, vault, snapshots, lagSeconds, failure }) => {
    const waits = `${snapshots === 1 ? "1 snapshot waits" : `${snapshots} snapshots wait`}, the oldest ${ageText(lagSeconds)}`;
    const state = snapshots === 0 ? "up to date" : waits;
    return [
      `${name} (${vault})`,
      failure === null ? state : `${state}; its last run failed (${failure})`,
    ] as const;
  });
  return { title: "Replicas", rows };
}

function textOf(intro: readonly string[], sections: readonly Section[], end: string): string {
  const parts = sections.flatMap(({ title, rows }) => [
    "",
    title,
    ...rows.map((row) => `  ${row.join(": ")}`),
  ]);
  return `${[...intro, ...parts, "", end].map(flat).join("\n")}\n`;
}

function htmlOf(intro: readonly string[], sections: readonly Section[], end: string): string {
  const tables = sections.map(({ title, rows }) => {
    const lines = rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`);
    return `<h3>${escaped(title)}</h3>\n<table cellpadding="4">\n${lines.join("\n")}\n</table>`;
  });
  const body = [...intro.map((line) => `<p>${escaped(line)}</p>`), ...tables, `<p>${escaped(end)}</p>`];
  return `<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n${body.join("\n")}\n</body></html>\n`;
}

const marks: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return flat(text).replaceAll(/[&<>"']/g, (mark) => marks[mark] as string);
}

function flat(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, (control) => (/^\s+$/.test(control) ? " " : "?"));
}

const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

function bytesText(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

function ageText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`;
}
