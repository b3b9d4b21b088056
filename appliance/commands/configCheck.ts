// holdfast config check

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { lineKeys, lineSettings } from "../agentLine.ts";
import { checkNamedTables, readAgentSettings, tableNames } from "../agentSettings.ts";
import { agentCommands } from "../cli/agentCommands.ts";
import type { CommandContext } from "../cli/command.ts";
import { namedTables } from "../hookTable.ts";
import { dataFolder, stateFolder } from "../locations.ts";
import { edition } from "../version.ts";

/** Checks an agent's file: every table is a command's, every key an option's. @throws HoldfastError usage */
async function checkAgent(file: string): Promise<void> {
  await readAgentSettings(file, agentCommands);
  await checkNamedTables(file);
  await lineSettings(file);
  const named = Object.keys(namedTables);
  const known: unknown[] = [...agentCommands.map(({ path }) => path.at(-1)), ...named, ...lineKeys];
  const unknown = (await tableNames(file)).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new HoldfastError(ErrorCode.usage, `${file}: ${unknown} is no table of the agent`, {
    next: `Its tables and keys are: ${known.join(", ")}.`,
  });
}

export async function run({ args, output, environment }: CommandContext): Promise<void> {
  const [data, state] = [args.text("data"), args.text("state")];
  const named = data !== undefined || state !== undefined;
  const gatewayFile = join(dataFolder(data, environment), "config.toml");
  const folder = stateFolder(state, environment);
  const agentFile = join(folder, "config.toml");
  const checked: string[] = [];
  if (edition === "agent" && data !== undefined) {
    throw new HoldfastError(ErrorCode.usage, "a gateway's settings are checked by the gateway's package", {
      next: "Run it on the gateway's machine, or install holdfast-gateway here.",
    });
  }
  if (edition === "whole" && (named ? data !== undefined : existsSync(gatewayFile))) {
    const { readSettings } = await import("../../gateway/settings.ts");
    await readSettings(gatewayFile);
    checked.push(gatewayFile);
  }
  if (state !== undefined && !existsSync(folder)) {
    throw new HoldfastError(ErrorCode.notFound, `${folder} does not exist`, { next: "Check the path." });
  }
  const wantsAgent = !named || state !== undefined;
  if (wantsAgent && existsSync(agentFile)) {
    await checkAgent(agentFile);
    checked.push(agentFile);
  } else if (state !== undefined) {
    output.line(`${agentFile}: not there, and need not be`);
  }
  for (const file of checked) output.line(`${file}: good`);
  if (checked.length === 0 && !named)
    output.line("No configuration file at the usual places; name a directory with --data or --state.");
  output.event({ event: "done", checked });
}
