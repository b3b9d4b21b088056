// The row of `agent run`.

import { line, state } from "./agentOptions.ts";
import type { CommandSpec } from "./command.ts";

export const agentRunCommand: CommandSpec = {
  path: ["agent", "run"],
  summary: "back up by the schedules that the gateway keeps (a service: it goes on until it is stopped)",
  details: [
    "`holdfast item add` at the gateway says what this machine backs up, and when; docs/schedules.md says how that is obeyed. It goes on with what it knows when the gateway is away, makes up for what was missed, and tells the gateway of what failed. SIGTERM and Ctrl-C stop a running backup cleanly; SIGHUP asks the gateway at once.",
    "A gateway may name any path of this machine, unless --only-below, or only-below in [run] of config.toml, says otherwise.",
  ],
  operands: [],
  options: [
    {
      name: "only-below",
      kind: "texts",
      value: "DIR",
      summary: "refuse definitions with a path that is not in this folder (again for more)",
    },
    {
      name: "clock",
      kind: "text",
      value: "TIME",
      summary: "for tests: the wall's clock begins there",
      hidden: true,
    },
    {
      name: "power-supplies",
      kind: "text",
      value: "DIR",
      summary: "for tests: stands for /sys/class/power_supply",
      hidden: true,
    },
    ...line,
    state,
  ],
  example: "holdfast agent run --only-below /home",
  load: () => import("../commands/agentRun.ts"),
};
