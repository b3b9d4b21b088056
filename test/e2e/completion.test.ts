// Completion in real shells: what is typed with Tab must run as the whole word.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { done, scratchFolder } from "./program.ts";
import { Terminal } from "./terminal.ts";

type Shell = "bash" | "zsh" | "fish";

function isInstalled(shell: Shell): boolean {
  return spawnSync(shell, ["--version"]).status === 0;
}

/** What is typed, and the words that run. */
const lines: readonly (readonly [string, string])[] = [
  ["ag\t\r", "agent"],
  ["agent ba\t\r", "agent backup"],
  ["agent backup --exclude-r\tx\r", "agent backup --exclude-regex x"],
  ["agent backup /etc --one\t\r", "agent backup /etc --one-file-system"],
  ["agent mount /mnt --driver fu\t\r", "agent mount /mnt --driver fuse-native"],
  ["gateway init --data dat\t\r", "gateway init --data data-here"],
  ["agent backup --item ls dat\t\r", "agent backup --item ls data-here"],
  ["help agent sn\t\r", "help agent snapshots"],
  ["completion z\t\r", "completion zsh"],
];

const shells: Readonly<
  Record<Shell, { readonly words: string[]; readonly setup: (folder: string) => string }>
> = {
  bash: {
    words: ["bash", "--norc", "--noprofile", "-i"],
    setup: (folder) =>
      `holdfast() { echo "ran: $*;"; }; bind 'set enable-bracketed-paste off'; . '${folder}/holdfast'`,
  },
  zsh: {
    words: ["zsh", "-f", "-i"],
    // As a package would install it: a function in fpath, loaded with the first Tab.
    setup: (folder) =>
      `holdfast() { print -r -- "ran: $*;" }; unset zle_bracketed_paste; fpath=('${folder}' $fpath); autoload -Uz compinit; compinit -u -D`,
  },
  fish: {
    words: ["fish", "--no-config", "-i"],
    setup: (folder) => `function holdfast; echo "ran: $argv;"; end; source '${folder}/holdfast'`,
  },
};

for (const shell of ["bash", "zsh", "fish"] as const) {
  test.skipIf(!isInstalled(shell))(`${shell} completes commands, options, choices and files`, async () => {
    const folder = scratchFolder();
    const place = join(folder, shell === "zsh" ? "_holdfast" : "holdfast");
    writeFileSync(place, await done("completion", shell));
    const here = join(folder, "here");
    mkdirSync(join(here, "data-here"), { recursive: true });
    const { words, setup } = shells[shell];
    const terminal = new Terminal(words, {
      columns: 200,
      env: { HOME: here, TERM: "dumb", LANG: "C.UTF-8", XDG_CONFIG_HOME: here, XDG_DATA_HOME: here },
    });
    terminal.type(`cd '${here}'; ${setup(folder)}; echo rea''dy\r`);
    await terminal.shows(/ready/);
    for (const [typed, ran] of lines) {
      terminal.type(`holdfast ${typed}`);
      await terminal.shows(/ran: [^\r\n]*;/);
      const said = terminal.text.match(/ran: [^\r\n]*;/g)?.at(-1);
      expect(said?.replace("/;", ";").replace(" ;", ";")).toBe(`ran: ${ran};`);
    }
    terminal.type("exit\r");
    expect(await terminal.ended()).toBe(0);
  });
}
