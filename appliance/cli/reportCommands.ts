// The rows of commands about daily reports.

import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

const account = { name: "ACCOUNT", required: true } as const;

export const reportCommands: readonly CommandSpec[] = [
  {
    path: ["report", "set"],
    summary: "send an account's report by mail, once a day",
    details: [
      "What was backed up, missed or failed since the last one, how much, the oldest item, and the state of replicas; no names of files. It goes through the mail server of config.toml (alert-smtp, alert-mail-from).",
      "A report is never sent twice for a day, and made up for after the gateway was off.",
    ],
    operands: [account],
    options: [
      data,
      { name: "to", kind: "texts", value: "ADDRESS", summary: "who gets it (again for more)" },
      {
        name: "schedule",
        kind: "texts",
        value: "RULE",
        summary: 'when: "daily at 07:00" (the default), "weekdays at 08:30" (again for more)',
      },
      { name: "time-zone", kind: "text", value: "ZONE", summary: "of its times, like Europe/Vienna (UTC)" },
      { name: "text-only", kind: "flag", summary: "plain text, without HTML beside it" },
    ],
    example: "holdfast report set acme --to it@acme.example --time-zone Europe/Vienna --data /srv/holdfast",
    load: () => import("../commands/reportSet.ts"),
  },
  {
    path: ["report", "list"],
    summary: "show which accounts get a report, when the next is due, and what became of the last",
    operands: [],
    options: [data],
    example: "holdfast report list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/reportList.ts"),
  },
  {
    path: ["report", "show"],
    summary: "print an account's report as it would be sent now",
    operands: [account],
    options: [data],
    example: "holdfast report show acme --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/reportShow.ts"),
  },
  {
    path: ["report", "send"],
    summary: "send an account's report now; the one that is due is sent all the same",
    operands: [account],
    options: [data],
    example: "holdfast report send acme --data /srv/holdfast",
    load: () => import("../commands/reportSend.ts"),
  },
  {
    path: ["report", "remove"],
    summary: "send no report of an account any more",
    operands: [account],
    options: [data],
    example: "holdfast report remove acme --data /srv/holdfast",
    load: () => import("../commands/reportRemove.ts"),
  },
];
