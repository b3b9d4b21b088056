// The rows of commands about the audit log.

import type { CommandSpec } from "./command.ts";
import { data, passphraseFile } from "./gatewayOptions.ts";

export const auditCommands: readonly CommandSpec[] = [
  {
    path: ["gateway", "audit", "list"],
    summary: "list security events: who did what, from where",
    details: ["The oldest first. What each event means is in docs/security.md."],
    operands: [],
    options: [
      data,
      passphraseFile,
      {
        name: "since",
        kind: "text",
        value: "TIME",
        summary: "only what came then or later: 24h ago, or a time like 2026-11-22T05:45:12Z",
      },
      {
        name: "event",
        kind: "text",
        value: "EVENT",
        summary: "only this event, like device.enrolled, or all of a kind, like login",
      },
    ],
    example: "holdfast gateway audit list --since 7d --event login --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/gatewayAuditList.ts"),
  },
  {
    path: ["gateway", "audit", "verify"],
    summary: "check that the log of security events is all that was written",
    details: [
      "Every line is chained to the one before. The end is compared with what replicas noted of it, and with heads that were noted elsewhere.",
    ],
    operands: [],
    options: [
      data,
      passphraseFile,
      {
        name: "head",
        kind: "texts",
        value: "SEQUENCE:HASH",
        summary: "a head that an earlier verify printed; it must be in the log",
      },
    ],
    example: "holdfast gateway audit verify --data /srv/holdfast",
    load: () => import("../commands/gatewayAuditVerify.ts"),
  },
];
