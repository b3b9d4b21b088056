// The rows of commands about what devices back up, and when.

import { definedSnapshots } from "../../ingest/schedule/hookNames.ts";
import { choiceOfFiles, priorityOption } from "./agentOptions.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

/** Options that are given again for more, with the definition's members that they set. `--no-NAME` empties one. */
export const listOptions = {
  schedule: "rules",
  window: "windows",
  include: "includes",
  exclude: "excludes",
  "include-regex": "includeRegexes",
  "exclude-regex": "excludeRegexes",
} as const;

/** Flags, with their members. `--no-NAME` takes one back. */
export const flagOptions = {
  "exclude-caches": "excludeCaches",
  "one-file-system": "oneFileSystem",
  "ignore-inode": "ignoreInodes",
  "stop-at-window-end": "stopAtWindowEnd",
  "skip-missed": "skipMissed",
  "skip-on-battery": "skipOnBattery",
  "skip-on-metered": "skipOnMetered",
} as const;

/** Texts that may be left out, with their members. `--no-NAME` takes one back. */
export const nameOptions = {
  hook: "hook",
  snapshot: "snapshot",
  priority: "priority",
  "named-program": "program",
} as const;

const definitionOptions: readonly OptionSpec[] = [
  {
    name: "schedule",
    kind: "texts",
    value: "RULE",
    summary: 'when: "daily at 02:00", "weekdays every 15m from 08:00 to 18:00" (again for more)',
  },
  {
    name: "time-zone",
    kind: "text",
    value: "ZONE",
    summary: "of the rules' times, like Europe/Vienna (UTC)",
  },
  {
    name: "window",
    kind: "texts",
    value: "WINDOW",
    summary: 'begin only then: "daily from 22:00 to 06:00" (again for more)',
  },
  { name: "stop-at-window-end", kind: "flag", summary: "stop a backup that runs when the window closes" },
  {
    name: "jitter",
    kind: "duration",
    value: "TIME",
    summary: "spread devices over so long after a due time (5m)",
  },
  { name: "skip-missed", kind: "flag", summary: "do not make up for what was due while the machine was off" },
  { name: "skip-on-battery", kind: "flag", summary: "wait while the machine runs on its battery" },
  {
    name: "skip-on-metered",
    kind: "flag",
    summary: "wait while its line is paid by volume, as NetworkManager says",
  },
  { name: "include", kind: "texts", value: "GLOB", summary: "take only what matches, below the paths" },
  ...choiceOfFiles,
  {
    name: "limit-upload",
    kind: "rates",
    value: "TABLE",
    summary: 'send at most so much a second: 5MiB, or "weekdays from 08:00 to 18:00 2MB, 20MB"',
  },
  {
    name: "hook",
    kind: "text",
    value: "NAME",
    summary: "run the machine's [hooks.NAME] around each backup: commands never come from here",
  },
  {
    name: "snapshot",
    kind: "text",
    value: "KIND",
    choices: definedSnapshots,
    summary: "read from snapshots of the paths' file systems",
  },
  priorityOption,
  {
    name: "named-program",
    kind: "text",
    value: "NAME",
    summary: "take what the machine's [programs.NAME] prints, and no paths",
  },
  { name: "disable", kind: "flag", summary: "nothing is due until it is enabled" },
];

const takenBack: readonly OptionSpec[] = [
  ...Object.keys(listOptions).map((name) => ({ name, summary: `empty the list of --${name}` })),
  ...[...Object.keys(flagOptions), ...Object.keys(nameOptions), "limit-upload"].map((name) => ({
    name,
    summary: `take --${name} back`,
  })),
].map(({ name, summary }): OptionSpec => ({ name: `no-${name}`, kind: "flag", summary }));

const itemOperand = { name: "ACCOUNT/DEVICE/ITEM", required: true } as const;

export const itemCommands: readonly CommandSpec[] = [
  {
    path: ["item", "add"],
    summary: "say what a device backs up, and when",
    details: [
      "The device obeys it by `holdfast agent run`, which goes on with it when the gateway is away. Without --schedule it is backed up by hand only. Rules, windows, and what happens at summer time are explained in docs/schedules.md.",
      "PATH is an absolute path on the device. What --hook and --named-program name is written on the device itself: see docs/hooks.md and docs/programs.md. @FLEET in the place of DEVICE is for all devices of a fleet (`holdfast device fleet`); a definition of a device's own comes before it.",
    ],
    operands: [itemOperand, { name: "PATH", many: true }],
    options: [data, ...definitionOptions],
    example: "holdfast item add acme/server1/home /home --schedule 'daily at 02:00' --data /srv/holdfast",
    load: () => import("../commands/itemAdd.ts"),
  },
  {
    path: ["item", "list"],
    summary: "show what devices back up, when that is due, and when it came last",
    operands: [{ name: "ACCOUNT[/DEVICE[/ITEM]]" }],
    options: [data],
    example: "holdfast item list acme --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/itemList.ts"),
  },
  {
    path: ["item", "edit"],
    summary: "change what a device backs up, and when",
    details: [
      "What is not named stays. A list that is given (--schedule, --exclude, --path, ...) replaces the one before, whole.",
    ],
    operands: [itemOperand],
    options: [
      data,
      { name: "path", kind: "texts", value: "PATH", summary: "take this path (again for more)" },
      ...definitionOptions,
      { name: "enable", kind: "flag", summary: "it is due by its rules again" },
      ...takenBack,
    ],
    example: "holdfast item edit acme/server1/home --exclude '*.tmp' --data /srv/holdfast",
    load: () => import("../commands/itemEdit.ts"),
  },
  {
    path: ["item", "remove"],
    summary: "take an item's definition away; its snapshots stay",
    operands: [itemOperand],
    options: [data],
    example: "holdfast item remove acme/server1/mail --data /srv/holdfast",
    load: () => import("../commands/itemRemove.ts"),
  },
  {
    path: ["item", "copy"],
    summary: "give another item the same definition",
    operands: [itemOperand, { name: "ACCOUNT/DEVICE/NEW", required: true }],
    options: [data],
    example: "holdfast item copy acme/server1/home acme/server2/home --data /srv/holdfast",
    load: () => import("../commands/itemCopy.ts"),
  },
];
