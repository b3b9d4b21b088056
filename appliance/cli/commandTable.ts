// Every command, in the order of the help; in the agent's package (docs/packages.md) those that need nothing of the gateway.

import { edition } from "../version.ts";
import { agentCommands } from "./agentCommands.ts";
import type { CommandSpec } from "./command.ts";
import { machineCommands } from "./machineCommands.ts";
import { serviceCommands } from "./serviceCommands.ts";

/** The commands of a package. */
export async function commandsOf(which: typeof edition): Promise<readonly CommandSpec[]> {
  const machines = machineCommands.filter(({ path }) => which === "whole" || path[0] !== "quickstart");
  const isFirst = ({ path }: CommandSpec): boolean => path[0] === "quickstart" || path[0] === "doctor";
  return [
    ...machines.filter(isFirst),
    ...(which === "whole" ? (await import("./gatewayTable.ts")).gatewayTable : []),
    ...agentCommands,
    ...serviceCommands,
    ...machines.filter((command) => !isFirst(command)),
  ];
}

/** The commands among which the words of a command line choose: what is for the gateway is not loaded for an agent's. */
export function commandsFor(argv: readonly string[]): Promise<readonly CommandSpec[]> {
  return commandsOf(argv[0] === "agent" ? "agent" : edition);
}
