// Completion scripts, made from the table. They complete commands, options and the choices of options; everything else is
// left to the shell's own completion of files.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext, CommandSpec, OptionSpec } from "./command.ts";
import { commandTable } from "./commandTable.ts";
import { commonOptions } from "./parse.ts";

type Shell = "bash" | "zsh" | "fish";

const makers: Readonly<Record<Shell, (table: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export async function run({ args, output }: CommandContext): Promise<void> {
  await output.bytes(completionScript(args.operand(0), commandTable));
}

/** The script for a shell. @throws HoldfastError usage for another shell */
export function completionScript(shell: string, table: readonly CommandSpec[]): string {
  if (!Object.hasOwn(makers, shell)) {
    throw new HoldfastError(ErrorCode.usage, `no completion for ${shell}`, {
      next: "There is: bash, zsh, fish.",
    });
  }
  return makers[shell as Shell](table);
}

function shownOptions(command: CommandSpec): OptionSpec[] {
  return [...command.options.filter(({ hidden }) => hidden !== true), ...commonOptions];
}

/** Words that may follow each beginning of a command: "" -> "agent gateway ...", "agent" -> "backup ls ...". */
function wordsAfter(table: readonly CommandSpec[]): Map<string, string[]> {
  const after = new Map<string, string[]>();
  for (const { path } of table) {
    path.forEach((word, depth) => {
      const key = path.slice(0, depth).join(" ");
      const words = after.get(key) ?? [];
      if (!words.includes(word)) words.push(word);
      after.set(key, words);
    });
  }
  return after;
}

function choicesOf(table: readonly CommandSpec[]): Map<string, readonly string[]> {
  const options = table.flatMap(({ options }) => options).filter(({ hidden }) => hidden !== true);
  return new Map(
    options.flatMap(({ name, choices }) => (choices === undefined ? [] : [[name, choices] as const])),
  );
}

function bashScript(table: readonly CommandSpec[]): string {
  const cases = [...wordsAfter(table)].map(([key, words]) => `    "${key}") words="${words.join(" ")}" ;;`);
  const options = table.map((command) => {
    const names = shownOptions(command).map(({ name }) => `--${name}`);
    return `    "${command.path.join(" ")}") words="${names.join(" ")}" ;;`;
  });
  const choices = [...choicesOf(table)].map(
    ([name, values]) =>
      `    --${name}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$current")); return ;;`,
  );
  return `# bash completion for holdfast
_holdfast() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) break ;;
      *) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
    [ "$i" -ge 2 ] && break
  done
  case "$previous" in
${choices.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    case "$path" in
${options.join("\n")}
    *) case "\${path%% *}" in
${options.filter((line) => !/^ {4}"[^"]* /.test(line)).join("\n")}
      esac ;;
    esac
  else
    case "$path" in
${cases.join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _holdfast holdfast
`;
}

/** Text inside single quotes of zsh and fish. */
function quoted(text: string): string {
  return text.replaceAll("'", "");
}

function zshScript(table: readonly CommandSpec[]): string {
  const described = (text: string): string => quoted(text).replaceAll(":", "\\:").replaceAll(/[[\]]/g, "");
  const groups = [...wordsAfter(table)].map(([key, words]) => {
    const rows = words.map((word) => {
      const command = table.find(({ path }) => path.join(" ") === (key === "" ? word : `${key} ${word}`));
      return `'${word}${command === undefined ? "" : `:${described(command.summary)}`}'`;
    });
    return `    '${key}') words=(${rows.join(" ")}); _describe command words ;;`;
  });
  const options = table.map((command) => {
    const rows = shownOptions(command).map((option) => {
      const value =
        option.kind === "flag"
          ? ""
          : `:value:${option.choices === undefined ? "_files" : `(${option.choices.join(" ")})`}`;
      return `'*--${option.name}[${described(option.summary)}]${value}'`;
    });
    return `    '${command.path.join(" ")}') _arguments ${rows.join(" ")} '*:file:_files' ;;`;
  });
  return `#compdef holdfast
_holdfast() {
  local -a words_before
  local path="" word words
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] && break
    path="\${path:+$path }$word"
    case "$path" in
      ${table.map(({ path }) => `'${path.join(" ")}'`).join("|")}) break ;;
    esac
  done
  case "$path" in
${options.join("\n")}
${groups.join("\n")}
    *) _files ;;
  esac
}
compdef _holdfast holdfast
`;
}

function fishScript(table: readonly CommandSpec[]): string {
  const lines = ["# fish completion for holdfast"];
  for (const [key, words] of wordsAfter(table)) {
    const condition =
      key === ""
        ? "__fish_use_subcommand"
        : `__fish_seen_subcommand_from ${key}; and not __fish_seen_subcommand_from ${words.join(" ")}`;
    for (const word of words) {
      const command = table.find(({ path }) => path.join(" ") === (key === "" ? word : `${key} ${word}`));
      const text = command === undefined ? "" : ` -d '${quoted(command.summary)}'`;
      lines.push(`complete -c holdfast -f -n '${condition}' -a '${word}'${text}`);
    }
  }
  for (const command of table) {
    const condition = command.path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    for (const option of shownOptions(command)) {
      const value =
        option.kind === "flag"
          ? ""
          : option.choices === undefined
            ? " -r"
            : ` -x -a '${option.choices.join(" ")}'`;
      lines.push(
        `complete -c holdfast -n '${condition}' -l ${option.name}${value} -d '${quoted(option.summary)}'`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
