// Options for programs whose output is backed up; the same names are keys of [programs.NAME] in an agent's config.toml (docs/programs.md).

import type { OptionSpec } from "./command.ts";

/** How long a command may take. `usual` says what counts for the second where it is not given. */
export function programLimits(usual: string): readonly OptionSpec[] {
  return [
    {
      name: "program-timeout",
      kind: "duration",
      value: "TIME",
      summary: "stop the command when it is not done by then",
    },
    {
      name: "program-idle-timeout",
      kind: "duration",
      value: "TIME",
      summary: `stop it when so long no byte went through (${usual})`,
    },
  ];
}

export const programOptions: readonly OptionSpec[] = [
  {
    name: "program",
    kind: "text",
    value: "CMD",
    summary: "back up what this command line prints, and no files",
  },
  { name: "as", kind: "text", value: "FILENAME", summary: "what its output is called in the snapshot" },
  ...programLimits("1h unless given, 0s for none"),
  {
    name: "max-bytes",
    kind: "bytes",
    value: "SIZE",
    summary: "it may write no more than this",
  },
  {
    name: "keep-failed",
    kind: "flag",
    summary: "keep what it wrote also where it failed, in a snapshot that says so",
  },
];
