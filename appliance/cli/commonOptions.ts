import type { OptionSpec } from "./command.ts";

/** Options that every command takes. */
export const commonOptions: readonly OptionSpec[] = [
  { name: "json", kind: "flag", summary: "print JSON, one object per line" },
  { name: "quiet", kind: "flag", summary: "print errors only" },
  { name: "help", kind: "flag", summary: "explain this command" },
];

export function isCommonOption(word: string): boolean {
  return commonOptions.some(({ name }) => word === `--${name}`);
}
