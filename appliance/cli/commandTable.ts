// Every command, in the order of the help; in the agent's package (docs/packages.md) those that need nothing of the gateway.
//
// A command line chooses among few of them, which are all that is loaded for it: each file of the program takes a third of a millisecond at every start.

import { edition } from "../version.ts";
import type { CommandSpec } from "./command.ts";
import { isCommonOption } from "./commonOptions.ts";
import { gatewayGroups, loaded } from "./gatewayGroups.ts";

/** The commands of a package. */
export async function commandsOf(which: typeof edition): Promise<readonly CommandSpec[]> {
  const { agentCommands } = await import("./agentCommands.ts");
  const { machineCommands } = await import("./machineCommands.ts");
  const { serviceCommands } = await import("./serviceCommands.ts");
  const machines = machineCommands.filter(({ path }) => which === "whole" || path[0] !== "quickstart");
  const isFirst = ({ path }: CommandSpec): boolean => path[0] === "quickstart" || path[0] === "doctor";
  return [
    ...machines.filter(isFirst),
    ...(which === "whole" ? await loaded(gatewayGroups) : []),
    ...agentCommands,
    ...serviceCommands,
    ...machines.filter((command) => !isFirst(command)),
  ];
}

/** The commands among which the words of a command line choose: those that begin with its first word, or all where there are none. */
export async function commandsFor(argv: readonly string[]): Promise<readonly CommandSpec[]> {
  const first = argv.find((word) => !isCommonOption(word)) ?? "";
  if (first === "agent") return (await import("./agentCommands.ts")).agentCommands;
  const groups = edition === "whole" ? gatewayGroups.filter(({ words }) => words.includes(first)) : [];
  return groups.length === 0 ? await commandsOf(edition) : await loaded(groups);
}
