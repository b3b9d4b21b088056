// The rows of commands about homes: which gateway an account's agents back up to.

import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const homeCommands: readonly CommandSpec[] = [
  {
    path: ["home", "show"],
    summary: "show which gateway the agents of each account back up to",
    details: [
      "Agents ask this directory, and follow signed redirects by themselves: nothing is changed on the clients.",
    ],
    operands: [{ name: "ACCOUNT" }],
    options: [data],
    example: "holdfast home show --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/homeShow.ts"),
  },
  {
    path: ["home", "move"],
    summary: "send the agents of an account, or some of its devices, to another gateway",
    details: [
      "Running backups start over at the new home; what they had uploaded stays here. `holdfast home undo` goes back.",
      "A move carries no data. Without a box (`holdfast seed prepare`), --force says that the other gateway has account, devices and snapshots already.",
    ],
    operands: [{ name: "ACCOUNT", required: true }],
    options: [
      data,
      {
        name: "device",
        kind: "texts",
        value: "NAME",
        summary: "only this device (again for more)",
      },
      { name: "to", kind: "text", value: "URL", summary: "https://HOST:PORT of the new home" },
      { name: "fingerprint", kind: "text", value: "SHA256:HEX", summary: "public key of the new home" },
      { name: "here", kind: "flag", summary: "back to this gateway" },
      { name: "force", kind: "flag", summary: "the other gateway has what it needs already" },
      { name: "dry-run", kind: "flag", summary: "say which devices would be sent where, and do nothing" },
    ],
    example: "holdfast home move acme --here --data /srv/holdfast",
    load: () => import("../commands/homeMove.ts"),
  },
  {
    path: ["home", "undo"],
    summary: "take the homes of before the last move",
    operands: [{ name: "ACCOUNT", required: true }],
    options: [data],
    example: "holdfast home undo acme --data /srv/holdfast",
    load: () => import("../commands/homeUndo.ts"),
  },
];
