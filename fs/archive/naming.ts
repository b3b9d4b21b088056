// Failures while an archive is made name the file or folder that they are about.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import { isDamage } from "../view/damage.ts";

/** The same failure with the path in its message and detail; what is not about one piece of the snapshot stays as it is. */
export function naming(path: Uint8Array, error: unknown): unknown {
  if (!isDamage(error)) return error;
  const shown = pathToText(path) || "/";
  return new HoldfastError(error.code, `${shown}: ${error.message}`, {
    next: "The archive is not whole: throw it away. `holdfast agent restore` leaves out what cannot be read and says so; `holdfast agent check` tells what is hurt.",
    detail: { ...error.detail, path: shown },
    cause: error,
  });
}

/** Content that ended before the size its directory tells: never passed on as if it were whole. */
export function cutShort(path: Uint8Array, wanted: number, got: number): unknown {
  return naming(path, new HoldfastError(ErrorCode.truncated, `${got} bytes came where ${wanted} should be`));
}
