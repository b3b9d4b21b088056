// The rows of commands that end a box's journey: importing it at the datacentre, or giving it up.

import type { CommandSpec } from "./command.ts";
import { data, passphraseFile } from "./gatewayOptions.ts";

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
      { name: "dry-run", kind: "flag", summary: "read and compare everything, say how long, take nothing" },
    ],
    example: "holdfast seed import /mnt/box --data /srv/holdfast",
    load: () => import("../commands/seedImport.ts"),
  },
  {
    path: ["seed", "stage-restore"],
    summary: "put snapshots on a box, to restore from it at the customer's site",
    details: [
      "DIR is an empty directory, or the root of an empty disk. It gets what the chosen snapshots need and nothing else, sealed as it is here; no key is needed but for a PATH, whose vault has to be unlocked. Stopped in the middle, the same command goes on.",
      "--need FILE leaves out what the customer's machine still has: `holdfast agent restore SNAPSHOT --target DIR --dry-run --need-out FILE` there writes the list.",
      "At the customer's site: `holdfast gateway run --data DIR --passphrase-file FILE`, then `holdfast agent restore SNAPSHOT --target DIR --gateway https://HOST:PORT --fingerprint SHA256:HEX`.",
    ],
    operands: [
      { name: "DIR", required: true },
      { name: "SNAPSHOT[:PATH]", required: true, many: true },
    ],
    options: [
      data,
      {
        name: "need",
        kind: "texts",
        value: "FILE",
        summary: "list of what the target lacks, one for each snapshot (all of it)",
      },
      {
        name: "listen",
        kind: "text",
        value: "ADDRESS:PORT",
        summary: "where the box listens (0.0.0.0:7440)",
      },
      { name: "url", kind: "texts", value: "https://HOST:PORT", summary: "where agents find the box" },
      { name: "name", kind: "text", value: "NAME", summary: 'what people call the box ("box N")' },
      passphraseFile,
      {
        name: "by",
        kind: "text",
        value: "TEXT",
        summary: "who does it, for the custody log (this user's name)",
      },
      { name: "dry-run", kind: "flag", summary: "say what would be copied, how much and how long" },
      { name: "kdf-iterations", kind: "integer", value: "N", summary: "for tests", hidden: true },
    ],
    example:
      "holdfast seed stage-restore /mnt/box 3f9a12 --data /srv/holdfast --url https://192.168.1.9:7440 --passphrase-file box.txt",
    load: () => import("../commands/seedStageRestore.ts"),
  },
  {
    path: ["seed", "abandon"],
    summary: "give up a box that is lost: agents send what is missing",
    details: [
      "What the box promised and did not bring goes on the need-list; the agents' next runs send exactly that. Snapshots whose sources are gone stay, marked as incomplete. What has been imported already counts.",
    ],
    operands: [{ name: "N", required: true }],
    options: [
      data,
      { name: "dry-run", kind: "flag", summary: "say what would be needed from agents, and how long" },
    ],
    example: "holdfast seed abandon 7 --data /srv/holdfast",
    load: () => import("../commands/seedAbandon.ts"),
  },
];
