// Completion scripts, made from the table. They complete commands, options and the choices of options; everything else is
// left to the shell's own completion of files.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext, CommandSpec, OptionSpec } from "./command.ts";
import { commandsFor } from "./commandTable.ts";
import { commonOptions } from "./commonOptions.ts";

type Shell = "bash" | "zsh" | "fish";

const makers: Readonly<Record<Shell, (table: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export async function run({ args, output }: CommandContext): Promise<void> {
  await output.bytes(completionScript(args.operand(0), await commandsFor([])));
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

/**
 * Words that may follow each beginning of a command line: "" -> "agent gateway ...", "agent" -> "backup ls ...",
 * "help agent" -> the same, "completion" -> "bash zsh fish".
 */
function wordsAfter(table: readonly CommandSpec[]): Map<string, string[]> {
  const after = new Map<string, string[]>();
  const add = (key: string, word: string): void => {
    const words = after.get(key) ?? [];
    if (!words.includes(word)) words.push(word);
    after.set(key, words);
  };
  for (const { path, operands } of table) {
    path.forEach((word, depth) => {
      const before = path.slice(0, depth);
      add(before.join(" "), word);
      add(["help", ...before].join(" "), word);
    });
    // An operand that is called by its choices: "bash|zsh|fish".
    for (const { name } of operands) {
      if (!/^[a-z]+(?:\|[a-z]+)+$/.test(name)) continue;
      for (const choice of name.split("|")) add(path.join(" "), choice);
    }
  }
  return after;
}

/** Commands behind which come no more words of the table. */
function wholeCommands(table: readonly CommandSpec[], after: ReadonlyMap<string, unknown>): CommandSpec[] {
  return table.filter(({ path }) => !after.has(path.join(" ")));
}

/** What `word` behind the beginning `key` is, for people. */
function summaryOf(table: readonly CommandSpec[], key: string, word: string): string | undefined {
  const path = [...key.split(" ").filter((part) => part !== ""), word].join(" ").replace(/^help (?=.)/, "");
  return table.find((command) => command.path.join(" ") === path)?.summary;
}

function choicesOf(table: readonly CommandSpec[]): Map<string, readonly string[]> {
  const options = table.flatMap(({ options }) => options).filter(({ hidden }) => hidden !== true);
  return new Map(
    options.flatMap(({ name, choices }) => (choices === undefined ? [] : [[name, choices] as const])),
  );
}

function bashScript(table: readonly CommandSpec[]): string {
  const after = wordsAfter(table);
  const whole = wholeCommands(table, after).map(({ path }) => `"${path.join(" ")}"`);
  const cases = [...after].map(([key, words]) => `    "${key}") words="${words.join(" ")}" ;;`);
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
      -*) [ -n "$path" ] && break ;;
      *) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
    case "$path" in
      ${whole.join("|")}) break ;;
    esac
  done
  if [ "$current" = "=" ]; then
    current=""
  elif [ "$previous" = "=" ]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  case "$previous" in
${choices.join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    case "$path" in
${options.join("\n")}
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

function zshScript(table: readonly CommandSpec[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const after = wordsAfter(table);
  const groups = [...after].map(([key, words]) => {
    const rows = words.map((word) => {
      const summary = summaryOf(table, key, word);
      return quoted(summary === undefined ? word : `${word}:${summary}`);
    });
    return `    ${quoted(key)}) rows=(${rows.join(" ")}); _describe command rows ;;`;
  });
  const commands = wholeCommands(table, after);
  const options = commands.map((command) => {
    const rows = shownOptions(command).map((option) => {
      const { name, summary, kind, choices } = option;
      const values = choices === undefined ? (takesFile(option) ? "_files" : " ") : `(${choices.join(" ")})`;
      const value = kind === "flag" ? "" : `:${(option.value ?? "value").replaceAll(":", "\\:")}:${values}`;
      return quoted(`*--${name}[${summary.replaceAll(/[[\]]/g, "\\$&")}]${value}`);
    });
    return `    ${quoted(command.path.join(" "))}) _arguments ${rows.join(" ")} '*:file:_files' ;;`;
  });
  // Not "path" and "words": these are zsh's own.
  return `#compdef holdfast
_holdfast() {
  local said="" word
  local -a rows
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ "$word" == -* ]]; then
      [[ -n "$said" ]] && break
      continue
    fi
    said="\${said:+$said }$word"
    case "$said" in
      ${commands.map(({ path }) => quoted(path.join(" "))).join("|")}) break ;;
    esac
  done
  case "$said" in
${options.join("\n")}
${groups.join("\n")}
    *) _files ;;
  esac
}
if [ "$funcstack[1]" = "_holdfast" ]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`;
}

/** Whether files complete the option's value. */
function takesFile({ value }: OptionSpec): boolean {
  return value === "FILE" || value === "DIR";
}

function fishScript(table: readonly CommandSpec[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const lines = ["# fish completion for holdfast"];
  for (const [key, words] of wordsAfter(table)) {
    const seen = key.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition =
      key === ""
        ? "__fish_use_subcommand"
        : `${seen.join("; and ")}; and not __fish_seen_subcommand_from ${words.join(" ")}`;
    for (const word of words) {
      const summary = summaryOf(table, key, word);
      const text = summary === undefined ? "" : ` -d ${quoted(summary)}`;
      lines.push(`complete -c holdfast -f -n '${condition}' -a '${word}'${text}`);
    }
  }
  for (const command of table) {
    const condition = command.path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    for (const option of shownOptions(command)) {
      const { name, kind, choices, summary } = option;
      const valued =
        choices === undefined ? (takesFile(option) ? " -r" : " -x") : ` -x -a '${choices.join(" ")}'`;
      const value = kind === "flag" ? "" : valued;
      lines.push(`complete -c holdfast -n '${condition}' -l ${name}${value} -d ${quoted(summary)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
