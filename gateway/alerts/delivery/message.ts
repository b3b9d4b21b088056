// What is told of alerts in one message: as lines for a mail and as JSON for a webhook. Many alerts are one message.

import type { Alert } from "../alertLog.ts";

/** alerts: what is new, worse or over; reminder: what is still open; test: nothing happened. */
export type MessageKind = "alerts" | "reminder" | "test";

export type AlertMessage = {
  /** The same for a message that is sent again: who gets it twice can tell. */
  readonly id: string;
  readonly kind: MessageKind;
  readonly gateway: { readonly id: string; readonly name: string };
  /** RFC 3339. */
  readonly time: string;
  /** The gravest first, `listedMax` at most. */
  readonly alerts: readonly Alert[];
  /** Alerts that are not listed. */
  readonly more: number;
};

/** Alerts of one message; what is beyond is counted. */
const listedMax = 50;
const ranks = { critical: 0, warning: 1, info: 2 } as const;

export function messageOf(
  about: Pick<AlertMessage, "id" | "kind" | "gateway" | "time">,
  alerts: readonly Alert[],
): AlertMessage {
  const rank = ({ resolved, severity }: Alert): number => (resolved === null ? ranks[severity] : 3);
  const sorted = alerts.toSorted((a, b) => rank(a) - rank(b) || b.id - a.id);
  return { ...about, alerts: sorted.slice(0, listedMax), more: Math.max(0, alerts.length - listedMax) };
}

/** One line: "holdfast box1: 2 critical, 1 warning". */
export function subjectOf({ kind, gateway, alerts, more }: AlertMessage): string {
  const title = `holdfast ${gateway.name}`;
  if (kind === "test") return `${title}: test of alerts`;
  const open = alerts.filter(({ resolved }) => resolved === null);
  const counts = (["critical", "warning", "info"] as const).flatMap((severity) => {
    const count = open.filter((alert) => alert.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  const over = alerts.length - open.length;
  const parts = [...counts, ...(over > 0 ? [`${over} over`] : []), ...(more > 0 ? [`${more} more`] : [])];
  return `${title}: ${kind === "reminder" ? "still " : ""}${parts.join(", ")}`;
}

/** The text of a mail. */
export function textOf(message: AlertMessage): string {
  const { kind, gateway, time, alerts, more } = message;
  if (kind === "test") {
    return `This is a test. Alerts of the Holdfast gateway ${gateway.name} reach you here.\n\nSent at ${time}.\n`;
  }
  const lines = alerts.flatMap((alert) => [
    `${alert.resolved === null ? alert.severity.toUpperCase() : "OVER"}  ${alert.subject}`,
    `    ${alert.message}`,
    ...figureLines(alert),
    `    alert ${alert.id}, ${alert.resolved === null ? `since ${alert.firstSeen}` : `${alert.firstSeen} to ${alert.resolved}`}`,
    "",
  ]);
  const rest = more > 0 ? [`... and ${more} more.`, ""] : [];
  return [
    ...lines,
    ...rest,
    "On the gateway's machine: holdfast alert list; holdfast alert acknowledge ID ends reminders of one.",
    "",
  ].join("\n");
}

function figureLines({ figures }: Alert): string[] {
  const values = Object.entries(figures).map(([name, value]) => `${name} ${value ?? "-"}`);
  return values.length === 0 ? [] : [`    ${values.join(", ")}`];
}
