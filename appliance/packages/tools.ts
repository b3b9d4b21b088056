// Programs that building calls.

import { spawnSync } from "node:child_process";

/** Runs a program to its end, its words shown; throws where it fails. */
export function runTool(
  program: string,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): void {
  const { status, error } = spawnSync(program, words, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} ended with status ${status}`);
}

/** What a program prints. */
export function toolOutput(program: string, ...words: readonly string[]): string {
  const { status, error, stdout } = spawnSync(program, words, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} ended with status ${status}`);
  return stdout;
}
