// What of a command line with a program goes together, and what counts.

import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { BackupRequest } from "../../agent/backup/request.ts";
import { commandsFor } from "../../appliance/cli/commandTable.ts";
import { Output } from "../../appliance/cli/output/output.ts";
import { parseCommandLine } from "../../appliance/cli/parse.ts";
import { programRequest } from "../../appliance/commands/agentBackupProgram.ts";

const commandTable = await commandsFor([]);

const dump = ["--item", "db", "--program", "pg_dump shop", "--as", "shop.sql"];

/** `settings`: what config.toml says of backups. */
function requested(words: readonly string[], settings: Record<string, string | string[]> = {}) {
  const parsed = parseCommandLine(["agent", "backup", ...words], commandTable);
  if (parsed.kind !== "command") throw new Error("not a command");
  const written = parsed.args;
  const args = written.withDefaults(new Map(Object.entries(settings)));
  const sink = new PassThrough();
  const output = new Output({ json: false, quiet: true, stdout: sink, stderr: sink, nowMs: () => 0 });
  const { signal } = new AbortController();
  return programRequest({ args, output, signal, environment: {}, nowMs: () => 0 }, written);
}

test.each([
  [["--program", "true", "--as", "out"], /item of its own/],
  [["--program", "true", "--item", "x"], /--as is needed/],
  [["--program", "true", "--item", "x", "--as", "a/b"], /not the name of a file/],
  [["--program", "true", "--item", "x", "--as", ".."], /not the name of a file/],
  [["--program", " ", "--item", "x", "--as", "out"], /--program is empty/],
  [[...dump, "/etc"], /by itself/],
  [[...dump, "--exclude", "*"], /--exclude is for files/],
  [[...dump, "--rescan"], /--rescan is for files/],
  [[...dump, "--limit-size", "1GiB"], /--limit-size is for files/],
  [[...dump, "--limit-time", "1h"], /--limit-time is for files/],
  [[...dump, "--max-bytes", "0"], /lets nothing be written/],
  [["--as", "out", "/etc"], /--as goes with --program/],
  [["--keep-failed", "/etc"], /--keep-failed goes with --program/],
])("%j is refused", (words, message) => {
  expect(() => requested(words)).toThrow(message);
});

test("without a program it is a backup of files; settings for files do not hinder one of a program", () => {
  expect(requested(["/etc"])).toBeUndefined();
  const { program, paths, rules } = requested(dump, { exclude: ["*.tmp"] }) as BackupRequest;
  expect([paths, rules]).toEqual([[{ path: Buffer.from("/shop.sql"), resolvedFrom: undefined }], {}]);
  expect(program).toMatchObject({
    ...{ command: "pg_dump shop", keepFailed: false, bytesMax: undefined },
    limits: { timeoutMs: undefined, idleMs: 3_600_000 },
  });
});

test("limits, of which 0 is none", () => {
  const words = [...dump, "--program-timeout", "2h", "--program-idle-timeout", "0s", "--max-bytes", "1GiB"];
  expect(requested([...words, "--keep-failed"])?.program).toMatchObject({
    ...{ keepFailed: true, bytesMax: 2 ** 30 },
    limits: { timeoutMs: 7_200_000, idleMs: undefined },
  });
});
