// [hooks.NAME] and [programs.NAME] of an agent's config.toml.

import { isHookName } from "../ingest/schedule/hookNames.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";

/** What a machine calls by a name: the tables, the option that names one, and what it is for people. */
export const namedTables = {
  hooks: { option: "hook", what: "hook" },
  programs: { option: "named-program", what: "program" },
} as const;
export type TableGroup = keyof typeof namedTables;

/**
 * The table of a name, as it stands in the file.
 * @throws HoldfastError usage, not-found
 */
export function namedTable(
  tables: Readonly<Record<string, unknown>>,
  group: TableGroup,
  name: string,
  file: string,
): unknown {
  const { option, what } = namedTables[group];
  if (!isHookName(name))
    throw new HoldfastError(ErrorCode.usage, `--${option} ${name} is no name of a ${what}`, {
      next: `Names are made of a-z, 0-9 and -, as in [${group}.my-app].`,
    });
  const all = tables[group];
  if (typeof all === "object" && all !== null && Object.hasOwn(all, name))
    return (all as Record<string, unknown>)[name];
  throw new HoldfastError(
    ErrorCode.notFound,
    `this machine has no ${what} ${name}: ${file} has no table [${group}.${name}]`,
    {
      next: `Write it there (docs/${group}.md), or leave --${option} out.`,
    },
  );
}
