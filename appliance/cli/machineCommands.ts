// The rows of commands that are neither the gateway's nor the agent's.

import type { CommandSpec } from "./command.ts";

export const machineCommands: readonly CommandSpec[] = [
  {
    path: ["quickstart"],
    summary: "start here: gateway, account, first backup and drive on this machine, ready to try",
    details: [
      "Makes a gateway that only this machine can reach, an account with a random password, enrolls this machine, backs up PATH and mounts the drive. It stays in the foreground: Ctrl-C unmounts and stops. Run again, it reuses what is there.",
      "Everything it makes is below one directory: /var/lib/holdfast/quickstart for root, else $XDG_DATA_HOME/holdfast/quickstart.",
    ],
    operands: [{ name: "PATH" }],
    options: [
      { name: "dir", kind: "text", value: "DIR", summary: "where to keep everything that it makes" },
      { name: "stop", kind: "flag", summary: "stop a quickstart that is running" },
      { name: "remove", kind: "flag", summary: "list what it made and delete it, backups included" },
      { name: "yes", kind: "flag", summary: "with --remove: do not ask" },
    ],
    example: "holdfast quickstart ~/Documents",
    load: () => import("../commands/quickstart.ts"),
  },
  {
    path: ["doctor"],
    summary: "look at this machine: what is wrong for Holdfast, and how to mend it",
    details: ["Exit status 1 when something must be mended before Holdfast can work here."],
    operands: [],
    options: [
      { name: "data", kind: "text", value: "DIR", summary: "a gateway's data directory to look at as well" },
      { name: "state", kind: "text", value: "DIR", summary: "an agent's state directory to look at as well" },
    ],
    example: "holdfast doctor",
    staysRoot: true,
    load: () => import("../commands/doctor.ts"),
  },
  {
    path: ["version"],
    summary: "print the version; with --check compare it with the gateway's",
    details: [
      "With --check: of an enrolled machine, whether it and its gateway understand each other, and which side is to be upgraded where they do not (exit status 1); on a gateway's machine, whether the gateway that runs is of the version that is installed (3: it is not). Nothing else is asked, and nobody on the internet.",
    ],
    operands: [],
    options: [
      { name: "check", kind: "flag", summary: "compare with the gateway" },
      { name: "data", kind: "text", value: "DIR", summary: "a gateway's data directory" },
      { name: "state", kind: "text", value: "DIR", summary: "an agent's state directory" },
    ],
    example: "holdfast version --check",
    staysRoot: true,
    load: () => import("../commands/version.ts"),
  },
  {
    path: ["config", "check"],
    summary: "check configuration files",
    details: [
      "Configuration is TOML, and every key is named as the option is. The gateway's is config.toml in its data directory, where it was written with comments by `gateway init`. The agent's is config.toml in its state directory, with a table for each command ([backup], [mount], ...) whose keys stand for options that the command line does not give.",
    ],
    operands: [],
    options: [
      { name: "data", kind: "text", value: "DIR", summary: "check the config.toml of this gateway" },
      { name: "state", kind: "text", value: "DIR", summary: "check the config.toml of this agent" },
    ],
    example: "holdfast config check --state ~/.config/holdfast/agent",
    staysRoot: true,
    load: () => import("../commands/configCheck.ts"),
  },
  {
    path: ["completion"],
    summary: "print a completion script for your shell",
    details: [
      "For zsh: holdfast completion zsh > /usr/local/share/zsh/site-functions/_holdfast. For fish: holdfast completion fish > ~/.config/fish/completions/holdfast.fish. For this shell alone: source <(holdfast completion bash), or zsh.",
    ],
    operands: [{ name: "bash|zsh|fish", required: true }],
    options: [],
    example: "holdfast completion bash > /etc/bash_completion.d/holdfast",
    endsWithReader: true,
    load: () => import("./completion.ts"),
  },
  {
    path: ["help"],
    summary: "explain a command",
    operands: [{ name: "COMMAND", many: true }],
    options: [],
    example: "holdfast help agent backup",
    endsWithReader: true,
    load: () => import("../commands/help.ts"),
  },
];
