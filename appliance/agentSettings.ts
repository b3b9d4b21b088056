// What every agent command starts with: its state directory, and the settings that stand in its config.toml for options
// that the command line did not give.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkPrivate } from "../agent/hooks/privateFile.ts";
import type { Line } from "../ingest/line/line.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { agentLine, proxyKeys } from "./agentLine.ts";
import type { Arguments, OptionValue } from "./cli/arguments.ts";
import type { CommandContext, CommandSpec, OptionSpec } from "./cli/command.ts";
import { commandOptionNames, hookOptions, snapshotOptionNames } from "./cli/hookOptions.ts";
import { nearest } from "./cli/nearest.ts";
import { optionValue } from "./cli/parse.ts";
import { programOptions } from "./cli/programOptions.ts";
import { namedTable, namedTables, type TableGroup } from "./hookTable.ts";
import { stateFolder } from "./locations.ts";

export type AgentContext = {
  readonly context: CommandContext;
  readonly state: string;
  readonly line: Line;
  /** What the command line says, with the tables of config.toml that it names, and without the command's own. */
  readonly written: Arguments;
};

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
  // They stand above the tables, for all commands.
  ...proxyKeys,
  "program",
  "as",
  "named-program",
  "into-program",
];

/** @throws HoldfastError usage for a wrong config.toml */
export async function agentContext(given: CommandContext): Promise<AgentContext> {
  const state = stateFolder(given.args.text("state"), given.environment);
  const file = join(state, "config.toml");
  const lineOf = (args: Arguments): Promise<Line> => agentLine(state, given.environment, args);
  const { command } = given.args;
  const settings = await readAgentSettings(file, [command]);
  const own = settings.get(command.path.at(-1) as string) ?? new Map<string, OptionValue>();
  const takes = (option: string): boolean => command.options.some(({ name }) => name === option);
  let written = given.args;
  if (takes("hook")) written = await withHook(written, own, file);
  if (takes("named-program")) written = await withProgram(written, file);
  const defaults = takes("hook") ? ofTheMachine(written, own, file) : own;
  const args = written.withDefaults(defaults);
  return { context: { ...given, args }, state, line: await lineOf(args), written };
}

/** The arguments, with what the table [programs.NAME] says that they name. */
async function withProgram(args: Arguments, file: string): Promise<Arguments> {
  const name = args.text("named-program");
  if (name === undefined) return args;
  if (args.text("program") !== undefined)
    throw wrong("--program and --named-program exclude each other", "Leave one of them out.");
  const table = namedTable(await parsed(file), "programs", name, file);
  checkPrivate(file);
  return args.withDefaults(tableSettings(file, `programs.${name}`, programOptions, table));
}

/** The arguments, with what the table [hooks.NAME] says that they name, or the command's own table does. */
async function withHook(
  args: Arguments,
  own: ReadonlyMap<string, OptionValue>,
  file: string,
): Promise<Arguments> {
  const name = args.text("hook") ?? (own.get("hook") as string | undefined);
  if (name === undefined) return args;
  const table = namedTable(await parsed(file), "hooks", name, file);
  return args.withDefaults(
    ofTheMachine(args, tableSettings(file, `hooks.${name}`, hookOptions, table), file),
  );
}

/** What a table says of hooks where the arguments leave it open: there is one way to make snapshots. Commands need a file of our own. */
function ofTheMachine(
  args: Arguments,
  table: ReadonlyMap<string, OptionValue>,
  file: string,
): ReadonlyMap<string, OptionValue> {
  const decided = snapshotOptionNames.some((name) => args.text(name) !== undefined);
  const left = new Map([...table].filter(([name]) => !decided || !snapshotOptionNames.includes(name)));
  if (commandOptionNames.some((name) => left.has(name))) checkPrivate(file);
  return left;
}

const tableOptions: Readonly<Record<TableGroup, readonly OptionSpec[]>> = {
  hooks: hookOptions,
  programs: programOptions,
};

/** Checks all tables that have names of their own. @throws HoldfastError usage */
export async function checkNamedTables(file: string): Promise<void> {
  const tables = await parsed(file);
  for (const group of Object.keys(namedTables) as TableGroup[]) {
    if (tables[group] === undefined) continue;
    for (const name of Object.keys(asTable(tables[group], file, group)))
      tableSettings(file, `${group}.${name}`, tableOptions[group], namedTable(tables, group, name, file));
  }
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
  const tables = await parsed(file);
  const settings = new Map<string, ReadonlyMap<string, OptionValue>>();
  for (const [name, table] of Object.entries(tables)) {
    const command = commands.find(({ path }) => path.at(-1) === name);
    if (command === undefined) continue;
    const options = command.options.filter((option) => !notInFile.includes(option.name));
    const help = `holdfast help ${command.path.join(" ")} lists them.`;
    settings.set(name, tableSettings(file, name, options, table, help));
  }
  return settings;
}

/** The file as TOML; empty where there is none. @throws HoldfastError usage */
async function parsed(file: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(file)) return {};
  // Loaded only where there is a file, so that starting costs nothing.
  const { parse } = await import("smol-toml");
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { message } = cause as Error;
    throw wrong(`${file}: ${message.split("\n")[0]}`, "Mend the file.", cause);
  }
}

/** The tables of a config.toml by name, to find those that belong to no command. */
export async function tableNames(file: string): Promise<readonly string[]> {
  return Object.keys(await parsed(file));
}

function asTable(value: unknown, file: string, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date))
    return value as Record<string, unknown>;
  throw wrong(`${file}: ${name} is not a table`, `Write [${name}] above its keys.`);
}

function tableSettings(
  file: string,
  name: string,
  options: readonly OptionSpec[],
  table: unknown,
  help = "docs/hooks.md and docs/programs.md list them.",
): Map<string, OptionValue> {
  const values = new Map<string, OptionValue>();
  for (const [key, value] of Object.entries(asTable(table, file, name))) {
    const option = options.find((each) => each.name === key);
    if (option === undefined) {
      const meant = nearest(
        key,
        options.map((each) => each.name),
      );
      throw wrong(
        `${file}: [${name}] has no key ${key}`,
        meant === undefined ? help : `Did you mean ${meant}?`,
      );
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

function wrong(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next, cause });
}
