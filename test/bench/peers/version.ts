import { spawnSync } from "node:child_process";

/** First line of `command ...args`; undefined when the program is not installed or fails. */
export function versionLine(command: string, ...args: string[]): string | undefined {
  const result = spawnSync(command, args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim().split("\n")[0] : undefined;
}
