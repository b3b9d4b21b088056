// What tests tell Node to run the program: as it is shipped where HOLDFAST_TEST_PROGRAM names a folder with it (`npm test` builds one), the sources
// otherwise.

import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commandVariables, programFlags, startFlags } from "../appliance/nodeFlags.ts";

const root = resolve(import.meta.dirname, "..");
export const variable = "HOLDFAST_TEST_PROGRAM";
const built = process.env[variable];

/** To run the sources: for what is loaded before them and changes one of their modules. */
export const sourceWords: readonly string[] = [...programFlags, join(root, "appliance", "cli", "main.ts")];

/** To run the program. The last word is its own file. */
export const programWords: readonly string[] =
  built === undefined
    ? sourceWords
    : [
        ...startFlags,
        "--require",
        join(built, "dist", "appliance", "cli", "ownFiles.js"),
        join(built, "dist", "appliance", "cli", "main.js"),
      ];

/** What bin/holdfast tells the C library for a command with these words. */
export function programVariables(words: readonly string[]): Readonly<Record<string, string>> {
  const starts = words[1] === "run" || words[0] === "quickstart";
  return starts ? {} : commandVariables;
}

/** The command itself. */
export const launcherPath = (): string => join(process.env[variable] ?? root, "bin", "holdfast");

/** Node keeps compiled code there for all processes of all tests: they start several times as fast. It goes with the built program. */
export const compileCache =
  built === undefined ? join(tmpdir(), "holdfast-test-compile") : join(built, "compile");
