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
  {
    path: ["alert", "test"],
    summary: "send a test by every way that config.toml names (mail, webhook), and say what came of it",
    operands: [],
    options: [data],
    example: "holdfast alert test --data /srv/holdfast",
    load: () => import("../commands/alertTest.ts"),
  },
  {
    path: ["alert", "expect"],
    summary: "say how often a snapshot of an item should come",
    details: [
      "When it does not, there is an alert. Without this the rhythm of its last backups counts: half as much again as the second longest pause, a day at least.",
    ],
    operands: [{ name: "ACCOUNT/DEVICE/ITEM", required: true }],
    options: [
      data,
      { name: "every", kind: "duration", value: "TIME", summary: "one in each such time, like 26h" },
      { name: "never", kind: "flag", summary: "none is missed" },
      { name: "learn", kind: "flag", summary: "as its backups come" },
    ],
    example: "holdfast alert expect acme/laptop/files --every 26h --data /srv/holdfast",
    load: () => import("../commands/alertExpect.ts"),
  },
];
