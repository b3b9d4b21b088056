// What every agent command starts with: its state directory, and the settings that stand in its config.toml for options
// that the command line did not give.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { OptionValue } from "./cli/arguments.ts";
import type { CommandContext, CommandSpec, OptionSpec } from "./cli/command.ts";
import { nearest } from "./cli/nearest.ts";
import { optionValue } from "./cli/parse.ts";
import { stateFolder } from "./locations.ts";

export type AgentContext = { readonly context: CommandContext; readonly state: string };

/** Options that a file cannot set: they say where the file is, or belong to one run. */
const notInFile: readonly string[] = [
  "state",
  "dry-run",
  "clock",
  "replace",
  "gateway",
  "fingerprint",
  "password-file",
  "need-out",
];

/** @throws HoldfastError usage for a wrong config.toml */
export async function agentContext(given: CommandContext): Promise<AgentContext> {
  const state = stateFolder(given.args.text("state"), given.environment);
  const file = join(state, "config.toml");
  if (!existsSync(file)) return { context: given, state };
  const { command } = given.args;
  const settings = await readAgentSettings(file, [command]);
  const defaults = settings.get(command.path.at(-1) as string) ?? new Map();
  return { context: { ...given, args: given.args.withDefaults(defaults) }, state };
}

/**
 * Reads an agent's config.toml: a table for each of its commands, keys named as the options. Tables of commands that are
 * not in `commands` are left unread.
 * @throws HoldfastError usage that names file and key
 */
export async function readAgentSettings(
  file: string,
  commands: readonly CommandSpec[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, OptionValue>>> {
  // Loaded only where there is a file, so that starting costs nothing.
  const { parse } = await import("smol-toml");
  let tables: Record<string, unknown>;
  try {
    tables = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { message } = cause as Error;
    throw new HoldfastError(ErrorCode.usage, `${file}: ${message.split("\n")[0]}`, {
      next: "Mend the file.",
      cause,
    });
  }
  const settings = new Map<string, ReadonlyMap<string, OptionValue>>();
  for (const [name, table] of Object.entries(tables)) {
    const command = commands.find(({ path }) => path.at(-1) === name);
    if (command === undefined) continue;
    settings.set(name, tableSettings(file, command, table));
  }
  return settings;
}

/** The tables of a config.toml by name, to find those that belong to no command. */
export async function tableNames(file: string): Promise<readonly string[]> {
  const { parse } = await import("smol-toml");
  return Object.keys(parse(readFileSync(file, "utf8")));
}

function tableSettings(file: string, command: CommandSpec, table: unknown): Map<string, OptionValue> {
  const name = command.path.at(-1) as string;
  if (typeof table !== "object" || table === null || Array.isArray(table) || table instanceof Date) {
    throw wrong(`${file}: ${name} is not a table`, `Write [${name}] above its keys.`);
  }
  const values = new Map<string, OptionValue>();
  const options = command.options.filter((option) => !notInFile.includes(option.name));
  for (const [key, value] of Object.entries(table)) {
    const option = options.find((each) => each.name === key);
    if (option === undefined) {
      const meant = nearest(
        key,
        options.map((each) => each.name),
      );
      const hint =
        meant === undefined
          ? `holdfast help ${command.path.join(" ")} lists them.`
          : `Did you mean ${meant}?`;
      throw wrong(`${file}: [${name}] has no key ${key}`, hint);
    }
    values.set(key, settingValue(option, value, `${file}: [${name}] ${key}`));
  }
  return values;
}

function settingValue(option: OptionSpec, value: unknown, where: string): OptionValue {
  if (option.kind === "flag") {
    if (typeof value !== "boolean") throw wrong(`${where} is not true or false`, "Write true or false.");
    return value;
  }
  if (option.kind === "texts") {
    const list = Array.isArray(value) ? value : [value];
    if (!list.every((each) => typeof each === "string"))
      throw wrong(`${where} is not a list of texts`, 'Write ["...", "..."].');
    return list;
  }
  if (typeof value === "number" || typeof value === "bigint")
    return optionValue(option, String(value), where);
  if (typeof value !== "string") throw wrong(`${where} is not a text`, 'Write it between quotes: "...".');
  return optionValue(option, value, where);
}

function wrong(message: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next });
}
