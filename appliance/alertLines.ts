// Alerts as lines for people.

import type { Alert } from "../gateway/alerts/alertLog.ts";

/** "12  CRITICAL  acme/main/laptop/files: ... (since 2026-...; acknowledged: Ann)" and a line of figures. */
export function alertLines({ id, severity, subject, message, figures, ...alert }: Alert): string[] {
  const { firstSeen, lastSeen, times, acknowledged, resolved } = alert;
  const state = [
    times === 1 ? firstSeen : `${firstSeen} to ${lastSeen}, ${times} times`,
    ...(acknowledged === null
      ? []
      : [`acknowledged${acknowledged.note === "" ? "" : `: ${acknowledged.note}`}`]),
    ...(resolved === null ? [] : [`over since ${resolved}`]),
  ];
  const values = Object.entries(figures).map(([name, value]) => `${name} ${value ?? "-"}`);
  return [
    `${id}  ${severity.toUpperCase()}  ${subject}: ${message}`,
    ...(values.length > 0 ? [`    ${values.join(", ")}`] : []),
    `    ${state.join("; ")}`,
  ];
}
