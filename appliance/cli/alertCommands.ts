// The rows of commands about alerts.

import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const alertCommands: readonly CommandSpec[] = [
  {
    path: ["alert", "list"],
    summary: "show what an administrator should look at",
    details: [
      "Each with the figures that made the gateway say so. An alert ends when what it says is over; acknowledging only notes that somebody knows.",
    ],
    operands: [],
    options: [data, { name: "all", kind: "flag", summary: "also those that are over" }],
    example: "holdfast alert list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/alertList.ts"),
  },
  {
    path: ["alert", "acknowledge"],
    summary: "note that somebody knows of an alert",
    operands: [{ name: "ID", required: true }],
    options: [data, { name: "note", kind: "text", value: "TEXT", summary: "who, or what is done about it" }],
    example: "holdfast alert acknowledge 12 --note Ann --data /srv/holdfast",
    load: () => import("../commands/alertAcknowledge.ts"),
  },
];
