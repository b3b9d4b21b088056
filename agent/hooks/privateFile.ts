// Whether what a file says may be run.

import { statSync } from "node:fs";
import { dirname } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

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
