// From argv to a command of the table with its arguments. Unknown words are errors with a hint, never guessed at.

import { RateTable } from "../../ingest/line/rateTable.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { edition } from "../version.ts";
import { Arguments, type OptionValue } from "./arguments.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { commonOptions, isCommonOption } from "./commonOptions.ts";
import { nearest } from "./nearest.ts";
import { plannedCommands, plannedOptions } from "./planned.ts";
import { parseBytes, parseDuration } from "./units.ts";

/** How output is wanted, known also where the rest of the command line is wrong. */
export type OutputWish = { readonly json: boolean; readonly quiet: boolean };

export type Parsed =
  | { readonly kind: "help"; readonly topic: readonly string[] }
  | { readonly kind: "version" }
  | { readonly kind: "command"; readonly command: CommandSpec; readonly args: Arguments };

function usage(message: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next });
}

function notYet(words: string): HoldfastError {
  return usage(`${words} is not in this version of Holdfast yet`, "What it has: holdfast help");
}

function isHelp(word: string | undefined): boolean {
  return word === "--help" || word === "-h";
}

/** Looks for --json and --quiet alone, so that even a wrong command line is answered in the form that was asked for. */
export function outputWish(argv: readonly string[]): OutputWish {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return { json: words.includes("--json"), quiet: words.includes("--quiet") };
}

/**
 * Parses the words after the program's name.
 * @throws HoldfastError usage with a hint
 */
export function parseCommandLine(argv: readonly string[], table: readonly CommandSpec[]): Parsed {
  const lead = argv.findIndex((word) => !isCommonOption(word));
  const first = lead < 0 ? undefined : argv[lead];
  if (first === "--version" || first === "-V") return { kind: "version" };
  if (first === undefined || first === "-h") return { kind: "help", topic: [] };
  const isGroup = table.some(({ path }) => path.length > 1 && path[0] === first);
  if (isGroup && isHelp(argv[lead + 1])) return { kind: "help", topic: [first] };
  const command = findCommand(argv.slice(lead), table);
  const rest = [...argv.slice(0, lead), ...argv.slice(lead + command.path.length)];
  const end = rest.indexOf("--");
  const wantsHelp = (end < 0 ? rest : rest.slice(0, end)).some(isHelp);
  if (wantsHelp) return { kind: "help", topic: command.path };
  const { values, operands } = readWords(rest, command);
  checkOperands(operands, command);
  return { kind: "command", command, args: new Arguments(command, values, operands) };
}

/** The command whose words come first, or the group that `help` should explain as a usage error. */
function findCommand(words: readonly string[], table: readonly CommandSpec[]): CommandSpec {
  const matches = table.filter(({ path }) => path.every((word, i) => words[i] === word));
  const longest = matches.toSorted((a, b) => b.path.length - a.path.length)[0];
  if (longest !== undefined) return longest;
  const [word = "", second] = words;
  const planned = plannedCommands.find((name) => name === word || name === `${word} ${second}`);
  if (planned !== undefined) throw notYet(planned);
  const group = table.filter(({ path }) => path[0] === word);
  if (group.length > 0) {
    const names = group.map(({ path }) => path.slice(1).join(" "));
    const said = second === undefined ? `${word} needs a command` : `${word} has no command ${second}`;
    const meant = second === undefined ? undefined : nearest(second, names);
    throw usage(
      said,
      meant === undefined ? `It has: ${names.join(", ")}.` : `Did you mean: holdfast ${word} ${meant}?`,
    );
  }
  if (word.startsWith("-"))
    throw usage(`unknown option ${word}`, "The command comes first: holdfast COMMAND --option.");
  const meant = nearest(word, [...new Set(table.map(({ path }) => path[0] as string))]);
  const see =
    edition === "agent" ? "Gateways' commands are in the package holdfast-gateway." : "See: holdfast help";
  throw usage(`unknown command ${word}`, meant === undefined ? see : `Did you mean: holdfast ${meant}?`);
}

function readWords(
  words: readonly string[],
  command: CommandSpec,
): { values: Map<string, OptionValue>; operands: string[] } {
  const values = new Map<string, OptionValue>();
  const operands: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") {
      operands.push(...words.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const written = equals < 0 ? word : word.slice(0, equals);
    const option = findOption(written, command);
    let value = equals < 0 ? undefined : word.slice(equals + 1);
    if (option.kind === "flag") {
      if (value !== undefined) throw usage(`--${option.name} takes no value`, helpHint(command));
    } else if (value === undefined) {
      value = words[++i];
      if (value === undefined) throw usage(`--${option.name} needs a value`, helpHint(command));
    }
    setValue(values, option, value, command);
  }
  return { values, operands };
}

function findOption(written: string, command: CommandSpec): OptionSpec {
  const options = [...command.options, ...commonOptions];
  const option = options.find((each) => written === `--${each.name}`);
  if (option !== undefined) return option;
  const name = command.path.join(" ");
  if (plannedOptions[name]?.includes(written)) throw notYet(`${name} ${written}`);
  const known = options.filter(({ hidden }) => hidden !== true).map((each) => `--${each.name}`);
  const meant = nearest(written, known);
  throw usage(
    `${name} has no option ${written}`,
    meant === undefined ? helpHint(command) : `Did you mean ${meant}? ${helpHint(command)}`,
  );
}

function setValue(
  values: Map<string, OptionValue>,
  option: OptionSpec,
  value: string | undefined,
  command: CommandSpec,
): void {
  if (option.kind === "texts") {
    values.set(option.name, [...((values.get(option.name) as string[] | undefined) ?? []), value as string]);
    return;
  }
  if (option.kind !== "flag" && values.has(option.name)) {
    throw usage(`--${option.name} is given twice`, helpHint(command));
  }
  values.set(option.name, value === undefined ? true : optionValue(option, value, `--${option.name}`));
}

/**
 * Checks a value that was written for an option; `written` names it in messages.
 * @throws HoldfastError usage
 */
export function optionValue(option: OptionSpec, value: string, written: string): OptionValue {
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw usage(
      `${written} cannot be ${JSON.stringify(value)}`,
      `It is one of: ${option.choices.join(", ")}.`,
    );
  }
  if (option.kind === "bytes") return parsed(parseBytes, value, written);
  if (option.kind === "duration") return parsed(parseDuration, value, written);
  if (option.kind === "rates") return parsed((text) => RateTable.parse(text) && text, value, written);
  if (option.kind !== "integer") return value;
  if (!/^\d{1,15}$/.test(value))
    throw usage(`${written} is not a whole number: ${value}`, "Write digits only.");
  return Number(value);
}

function parsed<T>(parse: (text: string) => T, value: string, written: string): T {
  try {
    return parse(value);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw usage(`${written}: ${error.message}`, error.next ?? "");
  }
}

function checkOperands(operands: readonly string[], command: CommandSpec): void {
  // An optional operand before a required one counts only when there are enough words for both.
  const required = command.operands.filter((operand) => operand.required === true);
  const missing = required[operands.length];
  if (missing !== undefined)
    throw usage(`${command.path.join(" ")} needs ${missing.name}`, helpHint(command));
  const many = command.operands.at(-1)?.many === true;
  if (!many && operands.length > command.operands.length) {
    throw usage(
      `${command.path.join(" ")} does not take ${JSON.stringify(operands[command.operands.length])}`,
      helpHint(command),
    );
  }
}

function helpHint(command: CommandSpec): string {
  return `See: holdfast help ${command.path.join(" ")}`;
}
