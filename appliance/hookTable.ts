// [hooks.NAME] of an agent's config.toml.

import { isHookName } from "../ingest/schedule/hookNames.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";

/**
 * The table of a name, as it stands in the file.
 * @throws HoldfastError usage, not-found
 */
export function hookTable(tables: Readonly<Record<string, unknown>>, name: string, file: string): unknown {
  if (!isHookName(name))
    throw new HoldfastError(ErrorCode.usage, `--hook ${name} is no name of a hook`, {
      next: "Names are made of a-z, 0-9 and -, as in [hooks.my-app].",
    });
  const { hooks } = tables;
  if (typeof hooks === "object" && hooks !== null && Object.hasOwn(hooks, name))
    return (hooks as Record<string, unknown>)[name];
  throw new HoldfastError(
    ErrorCode.notFound,
    `this machine has no hook ${name}: ${file} has no table [hooks.${name}]`,
    {
      next: "Write it there (docs/hooks.md), or leave --hook out.",
    },
  );
}
