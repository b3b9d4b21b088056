// Options of hooks: what is refused, and which of a command line, [hooks.NAME] and [backup] counts.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { Hooks } from "../../agent/hooks/hooks.ts";
import { agentContext, checkNamedTables } from "../../appliance/agentSettings.ts";
import type { CommandContext } from "../../appliance/cli/command.ts";
import { commandsFor } from "../../appliance/cli/commandTable.ts";
import { parseCommandLine } from "../../appliance/cli/parse.ts";
import { hooksOf } from "../../appliance/hookSettings.ts";
import { ErrorCode } from "../../vault/errors.ts";

const commandTable = await commandsFor([]);

let state: string;
let config: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "holdfast-hook-settings-"));
  config = join(state, "config.toml");
  onTestFinished(() => rmSync(state, { recursive: true }));
});

async function hooks(...words: string[]): Promise<Hooks | undefined> {
  const parsed = parseCommandLine(["agent", "backup", "/a", "--state", state, ...words], commandTable);
  if (parsed.kind !== "command") throw new Error("not a command");
  const { context } = await agentContext({ args: parsed.args, environment: {} } as CommandContext);
  return hooksOf(context.args);
}

test.each([
  [["--snapshot-create", "true"], "come together"],
  [["--snapshot", "lvm", "--snapshot-create", "true", "--snapshot-remove", "true"], "exclude each other"],
  [["--snapshot", "vss"], "--snapshot"],
  [["--before", " "], "no command"],
  [["--after", "a\0b"], "no command"],
  [["--before", "true", "--before-timeout", "8d"], "between 1s and 7d"],
  [["--hook", "../x"], "no name of a hook"],
  [["--hook", "__proto__"], "no name of a hook"],
])("%j is refused", async (words, why) => {
  writeFileSync(config, "", { mode: 0o600 });
  await expect(hooks(...words)).rejects.toMatchObject({
    code: ErrorCode.usage,
    message: expect.stringContaining(why),
  });
});

test("without options there are none", async () => {
  expect(await hooks()).toBeUndefined();
  expect(await hooks("--snapshot", "none")).toBeUndefined();
});

test("the command line counts before [hooks.NAME], and that before [backup]", async () => {
  writeFileSync(
    config,
    `[backup]
before = "machine"
after = "machine"
snapshot = "lvm"
[hooks.app]
before = "app"
before-timeout = "90s"
snapshot-create = "make"
snapshot-remove = "drop"
`,
    { mode: 0o600 },
  );
  const after = { text: "machine", timeoutMs: 600_000 };
  expect(await hooks()).toMatchObject({
    before: { text: "machine" },
    after,
    snapshot: { scripts: "lvm", timeoutMs: 120_000 },
  });
  const app = { before: { text: "app", timeoutMs: 90_000 }, after };
  expect(await hooks("--hook", "app")).toMatchObject({
    ...app,
    snapshot: { scripts: { create: "make", remove: "drop" } },
  });
  expect(await hooks("--hook", "app", "--snapshot", "auto")).toMatchObject({
    ...app,
    snapshot: { scripts: "auto" },
  });
  expect(await hooks("--hook", "app", "--snapshot", "none", "--before", "mine")).toEqual({
    before: { text: "mine", timeoutMs: 90_000 },
    afterSnapshot: undefined,
    after,
    snapshot: undefined,
  });
  await expect(hooks("--hook", "other")).rejects.toMatchObject({ code: ErrorCode.notFound });
  rmSync(config);
  await expect(hooks("--hook", "app")).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("commands need a file and a folder that nobody else can write; other settings do not", async () => {
  writeFileSync(
    config,
    '[backup]\nexclude = ["*.o"]\n[hooks.app]\nbefore = "app"\n[hooks.kind]\nsnapshot = "btrfs"\n',
  );
  for (const [path, open, closed] of [
    [config, 0o620, 0o600],
    [state, 0o702, 0o700],
  ] as const) {
    chmodSync(path, open);
    await expect(hooks("--hook", "app")).rejects.toMatchObject({
      code: ErrorCode.forbidden,
      detail: { path },
    });
    expect(await hooks()).toBeUndefined();
    expect(await hooks("--hook", "kind")).toMatchObject({ snapshot: { scripts: "btrfs" } });
    chmodSync(path, closed);
    expect(await hooks("--hook", "app")).toMatchObject({ before: { text: "app" } });
  }
});

test.each([
  ['[hooks.app]\nbefor = "x"', "[hooks.app] has no key befor"],
  ["hooks = 1", "hooks is not a table"],
  ["[hooks]\napp = 1", "hooks.app is not a table"],
  ['[hooks."My App"]\nbefore = "x"', "no name of a hook"],
  ['[hooks.app]\nsnapshot = "vss"', "cannot be"],
  ["[hooks.app]\nbefore-timeout = true", "is not a text"],
])("%j is found by config check", async (text, why) => {
  writeFileSync(config, text);
  await expect(checkNamedTables(config)).rejects.toMatchObject({
    code: ErrorCode.usage,
    message: expect.stringContaining(why),
  });
});
