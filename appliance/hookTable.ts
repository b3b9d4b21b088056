// [hooks.NAME] of an agent's config.toml, and whether what it says may be run.

import { statSync } from "node:fs";
import { dirname } from "node:path";
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

/**
 * Commands are taken only from a file that nobody else can write.
 * @throws HoldfastError forbidden
 */
export function checkPrivate(file: string): void {
  const us = process.geteuid?.();
  if (us === undefined) return;
  for (const path of [file, dirname(file)]) {
    const { uid, mode } = statSync(path);
    if ((uid === us || uid === 0) && (mode & 0o022) === 0) continue;
    throw new HoldfastError(
      ErrorCode.forbidden,
      `${file} says commands, and others than this user can write ${path}`,
      {
        next: `Change that: chown it, and chmod go-w ${path}.`,
        detail: { path },
      },
    );
  }
}
