// The table of commands, and what is made from it: parsing, help, completion.

import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { commandsFor } from "../../appliance/cli/commandTable.ts";
import { completionScript } from "../../appliance/cli/completion.ts";
import { helpText } from "../../appliance/cli/help.ts";
import { nearest } from "../../appliance/cli/nearest.ts";
import { outputWish, parseCommandLine } from "../../appliance/cli/parse.ts";
import { plannedCommands, plannedOptions } from "../../appliance/cli/planned.ts";
import { isHoldfastError } from "../../vault/errors.ts";

const commandTable = await commandsFor([]);

function parse(...words: string[]) {
  return parseCommandLine(words, commandTable);
}

/** The arguments of a command line that must be right. */
function argsOf(...words: string[]) {
  const parsed = parse(...words);
  if (parsed.kind !== "command") throw new Error(`not a command: ${parsed.kind}`);
  return parsed.args;
}

/** The message and hint of a command line that must be wrong. */
function wrong(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    if (isHoldfastError(error, "usage")) return `${error.message} | ${error.next}`;
    throw error;
  }
  throw new Error(`taken: ${words.join(" ")}`);
}

/** Splits a command line of the help as a shell does, as far as the help needs it. */
function shellWords(line: string): string[] {
  return (line.replace(/ [>|] .*$/, "").match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ""));
}

describe("the table", () => {
  test("has each command once, and the fixed names", () => {
    const names = commandTable.map(({ path }) => path.join(" "));
    expect(new Set(names).size).toBe(names.length);
    for (const name of [
      ...["quickstart", "doctor", "completion", "help", "config check"],
      ...["gateway init", "gateway run", "gateway status", "gateway mount"],
      ...["account add", "account list", "account password", "account recover", "account disable"],
      "account app-password",
      ...["device list", "device revoke", "vault create", "vault list", "vault unlock", "vault lock"],
      ...["enroll", "backup", "snapshots", "ls", "cat", "find", "diff", "check", "restore", "mount"].map(
        (word) => `agent ${word}`,
      ),
    ]) {
      expect(names).toContain(name);
    }
  });

  test("a first word loads all commands that begin with it, in the order of the help", async () => {
    for (const first of new Set(commandTable.map(({ path }) => path[0]!))) {
      const own = commandTable.filter(({ path }) => path[0] === first);
      for (const argv of [[first], ["--json", first, "nothing"]]) {
        expect((await commandsFor(argv)).filter(({ path }) => path[0] === first)).toEqual(own);
      }
    }
    for (const argv of [[], ["--json"], ["-h", "replica"], ["replicas"]])
      expect(await commandsFor(argv)).toEqual(commandTable);
  });

  test.each(commandTable.map((command) => [command.path.join(" "), command] as const))(
    "%s: its example parses, its module loads",
    async (name, command) => {
      const [program, ...words] = shellWords(command.example);
      expect(program).toBe("holdfast");
      const parsed = parse(...words);
      expect(parsed.kind === "command" && parsed.command.path.join(" ")).toBe(name);
      expect(await command.load()).toHaveProperty("run");
    },
  );

  test("no option has a name twice in a command", () => {
    for (const { options } of commandTable) {
      const names = options.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

describe("parsing", () => {
  test("options and operands in any order, = or not, -- ends options", () => {
    const args = argsOf(
      "agent",
      "backup",
      "/a",
      "--item=x y",
      "/b",
      "--exclude",
      "*.o",
      "--exclude",
      "-",
      "--",
      "--c",
    );
    expect(args.operands).toEqual(["/a", "/b", "--c"]);
    expect(args.text("item")).toBe("x y");
    expect(args.texts("exclude")).toEqual(["*.o", "-"]);
    expect(args.flag("rescan")).toBe(false);
    expect(args.texts("include")).toEqual([]);
  });

  test("sizes, numbers, lengths of time, choices", () => {
    const size = (text: string) => argsOf("agent", "backup", "/a", "--limit-size", text).bytes("limit-size");
    expect([size("300"), size("5MiB"), size("1.5k"), size("2MB"), size("5 MiB/s")]).toEqual([
      300,
      5 * 1024 ** 2,
      1536,
      2_000_000,
      5 * 1024 ** 2,
    ]);
    expect(wrong("agent", "backup", "/a", "--limit-size", "fast")).toContain("not a size");
    const rates = "weekdays from 08:00 to 18:00 2MB, 20MB";
    expect(argsOf("agent", "backup", "/a", "--limit-upload", rates).rates("limit-upload")).toBe(rates);
    expect(wrong("agent", "backup", "/a", "--limit-upload", "fast")).toContain(
      '--limit-upload: table of rates "fast": column 1: "fast" is no rate',
    );
    expect(argsOf("vault", "unlock", "a", "--for", "8h").duration("for")).toBe(28_800);
    expect(wrong("vault", "unlock", "a", "--for", "8")).toContain("90s, 30m, 8h or 7d");
    expect(wrong("account", "add", "a", "--kdf-iterations", "1e6")).toContain("whole number");
    expect(wrong("agent", "restore", "latest", "--overwrite", "maybe")).toContain("never, newer, always");
  });

  test("what is wrong is named, with what was probably meant", () => {
    expect(wrong("agnet", "backup")).toContain("Did you mean: holdfast agent?");
    expect(wrong("agent", "bakup")).toContain("Did you mean: holdfast agent backup?");
    expect(wrong("agent")).toContain("agent needs a command");
    expect(wrong("agent", "backup", "/a", "--exlude", "x")).toContain("Did you mean --exclude?");
    expect(wrong("agent", "cat")).toContain("agent cat needs SNAPSHOT:PATH");
    expect(wrong("agent", "backup", "/a", "--item")).toContain("--item needs a value");
    expect(wrong("agent", "backup", "/a", "--rescan=yes")).toContain("takes no value");
    expect(wrong("agent", "backup", "/a", "--item", "a", "--item", "b")).toContain("given twice");
    expect(wrong("doctor", "now")).toContain('does not take "now"');
    expect(wrong("--frobnicate")).toContain("unknown option");
    expect(wrong("frobnicate")).toContain("See: holdfast help");
  });

  test("what is planned is refused by name, and only while it is not here", () => {
    for (const words of plannedCommands) {
      expect(commandTable.some(({ path }) => `${path.join(" ")} `.startsWith(`${words} `))).toBe(false);
      expect(wrong(...words.split(" "), "more", "--json")).toContain(`${words} is not in this version`);
    }
    for (const [words, options] of Object.entries(plannedOptions)) {
      const command = commandTable.find(({ path }) => path.join(" ") === words);
      for (const option of options) {
        expect(command?.options.some(({ name }) => `--${name}` === option)).toBe(false);
        expect(wrong(...words.split(" "), option, "x")).toContain(
          `${words} ${option} is not in this version`,
        );
      }
    }
  });

  test("an optional operand before required ones", () => {
    expect(wrong("agent", "find")).toContain("needs PATTERN");
    expect(argsOf("agent", "find", "*.c").operands).toEqual(["*.c"]);
    expect(argsOf("agent", "find", "latest", "*.c", "*.h").operands).toHaveLength(3);
  });

  test("help and version", () => {
    expect(parse()).toEqual({ kind: "help", topic: [] });
    expect(parse("--help")).toEqual({ kind: "help", topic: [] });
    expect(parse("agent", "backup", "--help")).toEqual({ kind: "help", topic: ["agent", "backup"] });
    expect(parse("agent", "--help")).toEqual({ kind: "help", topic: ["agent"] });
    expect(parse("--version")).toEqual({ kind: "version" });
    expect(argsOf("agent", "backup", "--", "--help").operands).toEqual(["--help"]);
  });

  test("--json is seen even in a wrong command line, and not after --", () => {
    expect(outputWish(["agent", "--jsno", "--json"])).toEqual({ json: true, quiet: false });
    expect(outputWish(["agent", "backup", "--", "--json"])).toEqual({ json: false, quiet: false });
    expect(argsOf("--json", "agent", "snapshots").command.path).toEqual(["agent", "snapshots"]);
  });
});

describe("help", () => {
  test("lists every command with its example", () => {
    const text = helpText([], commandTable);
    for (const { path, example } of commandTable) {
      expect(text).toContain(`  ${path.join(" ")}`);
      expect(text).toContain(example);
    }
  });

  test("of one command has its options, choices and example, and no hidden option", () => {
    for (const command of commandTable) {
      const text = helpText(command.path, commandTable);
      expect(text).toContain(`Usage: holdfast ${command.path.join(" ")}`);
      expect(text).toContain(command.example);
      for (const { name, hidden } of command.options)
        expect(text.includes(`--${name}`)).toBe(hidden !== true);
    }
    expect(helpText(["agent", "restore"], commandTable)).toContain("never|newer|always");
  });

  test("of a group, and of nothing that is there", () => {
    expect(helpText(["vault"], commandTable)).toContain("vault unlock");
    expect(() => helpText(["vualt"], commandTable)).toThrow("there is no command vualt");
  });
});

describe("completion", () => {
  test.each(["bash", "zsh", "fish"])("the %s script is one that the shell takes", (shell) => {
    const script = completionScript(shell, commandTable);
    expect(script).toContain("one-file-system");
    expect(script).not.toContain("kdf-iterations");
    // Through a pipe: fish does not read its script from a socket.
    const checked = spawnSync("sh", ["-c", `cat | ${shell} -n`], { input: script, encoding: "utf8" });
    if (checked.status === 127 && shell !== "bash") return; // a shell that is not installed here
    expect(checked.stderr).toBe("");
    expect(checked.status).toBe(0);
  });

  test.each([
    ["holdfast ag", "agent"],
    ["holdfast agent ba", "backup"],
    ["holdfast agent backup --excl", "--exclude"],
    ["holdfast agent mount /mnt --driver fu", "fuse-native"],
    ["holdfast doctor --st", "--state"],
  ])("bash completes %s", (line, expected) => {
    const words = line.split(" ").map((word) => `'${word}'`);
    const script = `${completionScript("bash", commandTable)}
COMP_WORDS=(${words.join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _holdfast; echo "\${COMPREPLY[*]}"`;
    const ran = spawnSync("bash", ["--norc"], { input: script, encoding: "utf8" });
    expect(ran.stdout.trim().split(" ")).toContain(expected);
  });

  test("another shell is refused", () => {
    expect(() => completionScript("tcsh", commandTable)).toThrow("no completion for tcsh");
  });
});

test("nearest guesses only what is near", () => {
  expect(nearest("snapshot", ["snapshots", "restore"])).toBe("snapshots");
  expect(nearest("xyz", ["snapshots", "restore"])).toBeUndefined();
});
