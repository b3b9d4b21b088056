// What bin/holdfast tells Node, by a Node that says what it was told.

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { commandVariables, startFlags } from "../../appliance/nodeFlags.ts";
import { folderOf } from "./folderOf.ts";

const launcher = resolve(import.meta.dirname, "../../bin/holdfast");
const told = [
  "#!/bin/sh",
  'printf "%s\\n" "$@"',
  'echo "tunables=$GLIBC_TUNABLES"',
  'echo "threshold=$MALLOC_MMAP_THRESHOLD_"',
  "",
].join("\n");

/** The words that Node is given in a folder that holds one form of the program. */
function said(
  main: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string[] {
  const root = folderOf({ [main]: "", "node_modules/.bin/node": told });
  chmodSync(join(root, "node_modules/.bin/node"), 0o755);
  cpSync(launcher, join(root, "bin/holdfast"));
  const env = { PATH: process.env.PATH, ...environment };
  const text = execFileSync(join(root, "bin/holdfast"), words, { encoding: "utf8", env });
  return text
    .trim()
    .split("\n")
    .map((line) => line.replace(root, "ROOT"));
}

const built = "dist/appliance/cli/main.js";
const sources = "appliance/cli/main.ts";

test.each([built, sources])("%s gets the flags that its threads and children get", (main) => {
  const words = said(main, ["--version"]);
  const own = words.slice(0, words.indexOf(`ROOT/${main}`));
  const ownFiles = `ROOT/${main.replace("main.", "ownFiles.")}`;
  const expected = [...startFlags, "--max-semi-space-size=4", "--require", ownFiles];
  expect(own.toSorted()).toEqual(expected.toSorted());
  expect(words.slice(own.length)).toEqual([
    `ROOT/${main}`,
    "--version",
    "tunables=glibc.malloc.hugetlb=1",
    "threshold=",
  ]);
});

test("who is told by other means whom to trust is not told otherwise", () => {
  expect(said(built, ["agent", "ls"])).toContain("--use-openssl-ca");
  for (const environment of [{ NODE_OPTIONS: "--use-bundled-ca" }, { NODE_USE_SYSTEM_CA: "1" }])
    expect(said(built, ["agent", "ls"], environment)).not.toContain("--use-openssl-ca");
});

test("words and memory of the commands that have their own", () => {
  const backup = said(built, ["agent", "backup", "/a folder", "--item", "x  y"]);
  expect(backup.slice(backup.indexOf(`ROOT/${built}`) + 1)).toEqual([
    ...["agent", "backup", "/a folder", "--item", "x  y"],
    ...[`tunables=${commandVariables.GLIBC_TUNABLES}`, "threshold="],
  ]);
  expect(said(built, ["agent", "backup"], { GLIBC_TUNABLES: "glibc.malloc.perturb=1" })).toContain(
    "tunables=glibc.malloc.perturb=1",
  );
  expect(said(built, ["agent", "mount", "/m"])).toEqual(
    expect.arrayContaining(["--expose-gc", "tunables=glibc.malloc.hugetlb=1", "threshold=524288"]),
  );
  expect(said(built, ["gateway", "run"])).toEqual(
    expect.arrayContaining(["--initial-old-space-size=128", "tunables="]),
  );
  expect(said(built, ["agent", "restore"])).toEqual(
    expect.arrayContaining(["--initial-old-space-size=48", "tunables=glibc.malloc.hugetlb=1"]),
  );
  expect(said(built, ["agent", "run"])).toEqual(expect.arrayContaining(["--no-memory-reducer", "tunables="]));
  expect(said(built, ["quickstart", "/etc"])).toContain("tunables=");
  expect(said(built, ["run", "agent"])).not.toContain("--no-memory-reducer");
});
