// Options for what is run around a backup; the same names are keys of [hooks.NAME] in an agent's config.toml (docs/hooks.md).

import { shippedSnapshots } from "../../agent/hooks/hooks.ts";
import type { OptionSpec } from "./command.ts";

/** Commands: whoever can write them runs them. */
const commandOptions: readonly OptionSpec[] = [
  {
    name: "before",
    kind: "text",
    value: "CMD",
    summary: "run this first; where it fails, nothing is backed up",
  },
  {
    name: "after-snapshot",
    kind: "text",
    value: "CMD",
    summary: "run this when snapshots of the source were taken",
  },
  {
    name: "after",
    kind: "text",
    value: "CMD",
    summary: "run this in the end, whatever became of the backup",
  },
  {
    name: "snapshot-create",
    kind: "text",
    value: "CMD",
    summary: "a script of your own that makes a snapshot of a source and prints SNAPSHOT=PATH",
  },
  { name: "snapshot-remove", kind: "text", value: "CMD", summary: "the script that removes it" },
];

export const commandOptionNames: readonly string[] = commandOptions.map(({ name }) => name);

/** Each of these says in its own way how snapshots are made. */
export const snapshotOptionNames: readonly string[] = ["snapshot", "snapshot-create", "snapshot-remove"];

export const hookOptions: readonly OptionSpec[] = [
  ...commandOptions,
  {
    name: "snapshot",
    kind: "text",
    value: "KIND",
    choices: ["auto", ...shippedSnapshots, "none"],
    summary: "read from snapshots of the source by the file system",
  },
  {
    name: "before-timeout",
    kind: "duration",
    value: "TIME",
    summary: "stop --before, and the job, after this time (10m)",
  },
  {
    name: "after-timeout",
    kind: "duration",
    value: "TIME",
    summary: "stop --after or --after-snapshot after this time (10m)",
  },
  {
    name: "snapshot-timeout",
    kind: "duration",
    value: "TIME",
    summary: "stop a script that makes or removes a snapshot after this time (2m)",
  },
];
