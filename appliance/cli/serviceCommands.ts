// The rows of `service`.

import type { CommandSpec, OptionSpec } from "./command.ts";

const dryRun: OptionSpec = {
  name: "dry-run",
  kind: "flag",
  summary: "show what would be done, and do nothing",
};
const of: OptionSpec = {
  name: "of",
  kind: "text",
  choices: ["agent", "gateway"],
  summary: "mount: whose drive (agent unless given: keys stay on this machine, and the gateway stays locked)",
};

export const serviceCommands: readonly CommandSpec[] = [
  {
    path: ["service", "install"],
    summary:
      "have systemd run the gateway, the agent's schedules or a drive, from now on and after each start",
    details: [
      "It makes a user and a directory for the service, writes its unit, enables it, and starts it as soon as there is something to run. The units are hardened: docs/packages.md says what they may do. Logs are in the journal: journalctl -u holdfast-agent.",
      "Where a Debian package brought the unit, that one is used, unless an option asks for another.",
    ],
    operands: [{ name: "gateway|agent|mount", required: true }, { name: "MOUNTPOINT" }],
    options: [
      { name: "data", kind: "text", value: "DIR", summary: "gateway: its data directory" },
      { name: "state", kind: "text", value: "DIR", summary: "agent: its state directory" },
      {
        name: "as-root",
        kind: "flag",
        summary: "agent: run as root without walls, for items whose commands or snapshots need that",
      },
      of,
      dryRun,
    ],
    example: "holdfast service install agent",
    staysRoot: true,
    load: () => import("../commands/serviceInstall.ts"),
  },
  {
    path: ["service", "uninstall"],
    summary: "stop a service and have systemd forget it; its data stays",
    operands: [{ name: "gateway|agent|mount", required: true }, { name: "MOUNTPOINT" }],
    options: [of, dryRun],
    example: "holdfast service uninstall mount /srv/backups",
    staysRoot: true,
    load: () => import("../commands/serviceUninstall.ts"),
  },
];
