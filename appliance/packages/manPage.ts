// holdfast(1), made from the table of commands.

import type { CommandSpec, OptionSpec } from "../cli/command.ts";

/** Text of people as roff takes it for text. */
function plain(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("`", "\\(ga");
  return escaped.replaceAll(/^(?=[.'])/gm, "\\&");
}

function optionOf({ name, kind, value, choices, summary }: OptionSpec): string {
  const takes = kind === "flag" ? "" : ` \\fI${plain(choices?.join("|") ?? value ?? "VALUE")}\\fR`;
  return `.TP\n\\fB\\-\\-${plain(name)}\\fR${takes}\n${plain(summary)}`;
}

function commandOf({ path, operands, options, summary, details = [], example }: CommandSpec): string {
  const words = operands.map(({ name, required, many }) => {
    const word = many === true ? `${name}...` : name;
    return required === true ? word : `[${word}]`;
  });
  return [
    `.SS holdfast ${plain([...path, ...words].join(" "))}`,
    plain(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`),
    ...details.map((text) => `.PP\n${plain(text)}`),
    ...options.filter(({ hidden }) => hidden !== true).map(optionOf),
    `.PP\nExample:\n.PP\n.EX\n    ${plain(example)}\n.EE`,
  ].join("\n");
}

/** The page in roff. `date`: as 2026-11-26. */
export function manPage(table: readonly CommandSpec[], version: string, date: string): string {
  return `${[
    `.TH HOLDFAST 1 "${date}" "Holdfast ${version}" "Holdfast"`,
    ".SH NAME",
    "holdfast \\- deduplicated, encrypted backups that open as read\\-only drives",
    ".SH SYNOPSIS",
    ".B holdfast\n.I COMMAND\n[\\fIOPTIONS\\fR]",
    ".SH DESCRIPTION",
    plain(
      "A gateway takes in backups of machines over the network; each machine's agent encrypts before anything is sent. Every command takes --json, --quiet and --help.",
    ),
    ".SH COMMANDS",
    ...table.map(commandOf),
    ".SH EXIT STATUS",
    plain("0 done; 1 failed; 2 wrong usage; 3 done, with warnings."),
    ".SH FILES",
    `.TP\n/var/lib/holdfast/\n${plain("Data of the gateway, state of the agent, for root and for services.")}`,
    `.TP\n/etc/default/holdfast\\-gateway, /etc/default/holdfast\\-agent\n${plain("Environment of the services.")}`,
  ].join("\n")}\n`;
}
