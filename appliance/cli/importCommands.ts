// The rows of commands that end a box's journey: importing it at the datacentre, or giving it up.

import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const importCommands: readonly CommandSpec[] = [
  {
    path: ["seed", "import"],
    summary: "take over what a box carried, at its datacentre",
    details: [
      "SOURCE is the box's directory, a second disk of it, or any folder that holds its `vaults`. Packs are read once, compared with the signed manifest, and count one by one: Ctrl-C, a pulled disk or a power cut cost at most the last minute, and the same command goes on. No key is needed.",
      "What is damaged or missing in one source is looked for in the next. What no source has stays promised, and the exit status is 3; --finish says that nothing more is to come, and the agents' next runs send exactly what is missing.",
    ],
    operands: [{ name: "SOURCE", required: true, many: true }],
    options: [
      data,
      {
        name: "box",
        kind: "integer",
        value: "N",
        summary: "number of the box, where no source has its box.json",
      },
      { name: "finish", kind: "flag", summary: "nothing more is expected: put the rest on the need-list" },
      { name: "dry-run", kind: "flag", summary: "read and compare everything, take nothing" },
    ],
    example: "holdfast seed import /mnt/box --data /srv/holdfast",
    load: () => import("../commands/seedImport.ts"),
  },
  {
    path: ["seed", "abandon"],
    summary: "give up a box that is lost: agents send what is missing",
    details: [
      "What the box promised and did not bring goes on the need-list; the agents' next runs send exactly that. Snapshots whose sources are gone stay, marked as incomplete. What has been imported already counts.",
    ],
    operands: [{ name: "N", required: true }],
    options: [data, { name: "dry-run", kind: "flag", summary: "say which snapshots would wait for agents" }],
    example: "holdfast seed abandon 7 --data /srv/holdfast",
    load: () => import("../commands/seedAbandon.ts"),
  },
];
