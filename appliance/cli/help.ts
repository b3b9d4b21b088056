// The help texts, made from the table.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandSpec, OperandSpec, OptionSpec } from "./command.ts";
import { commonOptions } from "./commonOptions.ts";
import { nearest } from "./nearest.ts";

const width = 100;

/** Help for the words of a command, of a group ("agent"), or for the whole program. @throws HoldfastError not-found */
export function helpText(topic: readonly string[], table: readonly CommandSpec[]): string {
  if (topic.length === 0) return overview(table);
  const name = topic.join(" ");
  const command = table.find(({ path }) => path.join(" ") === name);
  if (command !== undefined) return commandHelp(command);
  const group = table.filter(({ path }) => path.slice(0, topic.length).join(" ") === name);
  if (group.length > 0) return `${listing(group)}\n\nMore on one of them: holdfast help ${name} COMMAND\n`;
  const meant = nearest(name, [
    ...table.map(({ path }) => path.join(" ")),
    ...new Set(table.map(({ path }) => path[0] as string)),
  ]);
  throw new HoldfastError(ErrorCode.usage, `there is no command ${name}`, {
    next: meant === undefined ? "See: holdfast help" : `Did you mean: holdfast help ${meant}?`,
  });
}

function overview(table: readonly CommandSpec[]): string {
  return `Holdfast: deduplicated, encrypted backups that open as read-only drives.

Usage: holdfast COMMAND [OPTIONS]

${listing(table)}

Every command takes --json, --quiet and --help; holdfast --version prints the version.
Exit status: 0 done; 1 failed; 2 wrong usage; 3 done, with warnings.
Start here: holdfast quickstart ~/some/folder
More on a command: holdfast help COMMAND
`;
}

function listing(commands: readonly CommandSpec[]): string {
  const lines: string[] = [];
  for (const { path, summary, example } of commands) {
    lines.push(`  ${path.join(" ").padEnd(20)} ${summary}`, `  ${"".padEnd(20)}   ${example}`);
  }
  return lines.join("\n");
}

function commandHelp(command: CommandSpec): string {
  const { path, operands, options, summary, details = [], example } = command;
  const shown = options.filter(({ hidden }) => hidden !== true);
  const usage = [path.join(" "), ...operands.map(operandText), "[OPTIONS]"].join(" ");
  const paragraphs = [
    `Usage: holdfast ${usage}`,
    wrap(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`),
    ...details.map((paragraph) => wrap(paragraph)),
    ["Options:", ...[...shown, ...commonOptions].flatMap(optionLines)].join("\n"),
    `Example:\n  ${example}`,
  ];
  return `${paragraphs.join("\n\n")}\n`;
}

function operandText({ name, required = false, many = false }: OperandSpec): string {
  const text = many ? `${name}...` : name;
  return required ? text : `[${text}]`;
}

function optionLines(option: OptionSpec): string[] {
  const value = option.kind === "flag" ? "" : ` ${option.choices?.join("|") ?? option.value ?? "VALUE"}`;
  const head = `  --${option.name}${value}`;
  const text = wrap(option.summary, width - 28).split("\n");
  const first = head.length < 27 ? [`${head.padEnd(28)}${text.shift()}`] : [head];
  return [...first, ...text.map((line) => `${" ".repeat(28)}${line}`)];
}

function wrap(text: string, columns = width): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join("\n");
}
