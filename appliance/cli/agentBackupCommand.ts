// The row of `agent backup`.

import { chunkers } from "../../vault/chunk/chunker.ts";
import { choiceOfFiles, item, line, priorityOption, state } from "./agentOptions.ts";
import type { CommandSpec } from "./command.ts";
import { hookOptions } from "./hookOptions.ts";
import { programOptions } from "./programOptions.ts";

export const agentBackupCommand: CommandSpec = {
  path: ["agent", "backup"],
  summary: "back up files and folders, or what a command prints",
  details: [
    "Only what changed since the last snapshot of the item is read and sent. Files that cannot be read are warnings (exit status 3). Filters are explained in docs/filters.md.",
    "With --program, the standard output of a command is backed up as one file, however long it gets: holdfast agent backup --item db --program 'pg_dump shop' --as shop.sql. What it writes to stderr is a warning; a status other than 0 makes the backup fail (docs/programs.md).",
    "A first backup can be made in portions: with --limit-size or --limit-time a run stops between two files and leaves an incomplete snapshot; the same command again goes on there. An incomplete snapshot can be listed, mounted and restored, but is never `latest`. What is counted is the size of the files that are read. A file that was begun is finished, and each portion adds at least one.",
    "Commands around a backup, and snapshots of what it reads (--before, --after, --snapshot, ...), are explained in docs/hooks.md: `--before 'systemctl stop app' --snapshot auto --after-snapshot 'systemctl start app'`. --after and --after-snapshot are run whatever happens, at the next start where this process was killed.",
  ],
  operands: [{ name: "PATH", many: true }],
  options: [
    { ...item, summary: "name of the protected item (files unless given)" },
    {
      name: "include",
      kind: "texts",
      value: "GLOB",
      summary: "take only what matches, below the named folders",
    },
    ...choiceOfFiles,
    { name: "rescan", kind: "flag", summary: "read every file, also those that look unchanged" },
    {
      name: "accept-older",
      kind: "flag",
      summary: "go on although the gateway lost snapshots that this machine saw: it was restored on purpose",
    },
    {
      name: "no-reference",
      kind: "flag",
      summary: "at an item's first backup, do not look for its files in snapshots of other items and devices",
    },
    {
      name: "estimate",
      kind: "flag",
      summary: "count the files that would be taken, for a minute at most, and do nothing else",
    },
    { name: "dry-run", kind: "flag", summary: "tell what would be read, and send nothing" },
    {
      name: "limit-upload",
      kind: "rates",
      value: "TABLE",
      summary: 'send at most so much a second: 5MiB, or "weekdays from 08:00 to 18:00 2MB, 20MB"',
    },
    {
      name: "time-zone",
      kind: "text",
      value: "ZONE",
      summary: "of the times in --limit-upload and --limit-download (this machine's)",
    },
    priorityOption,
    {
      name: "limit-size",
      kind: "bytes",
      value: "SIZE",
      summary: "stop with an incomplete snapshot before more than this was read, like 100GiB",
    },
    {
      name: "limit-time",
      kind: "duration",
      value: "TIME",
      summary: "stop with an incomplete snapshot when this time is over, like 6h",
    },
    {
      name: "cycle",
      kind: "flag",
      summary: "with a limit: one portion after the other until all is there",
    },
    ...programOptions,
    {
      name: "named-program",
      kind: "text",
      value: "NAME",
      summary: "the command that [programs.NAME] of config.toml says, with its name and limits",
    },
    {
      name: "chunker",
      kind: "text",
      choices: chunkers,
      summary: "how to cut content (auto-1: fixed-2 for disk images, else fastcdc-1)",
    },
    ...hookOptions,
    {
      name: "hook",
      kind: "text",
      value: "NAME",
      summary: "what [hooks.NAME] in config.toml of the state directory says of the options above",
    },
    ...line,
    state,
  ],
  example: "holdfast agent backup /home /etc --exclude '*.tmp'",
  load: () => import("../commands/agentBackup.ts"),
};
