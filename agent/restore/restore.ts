// `agent restore`: brings a snapshot, or what is below a path of it, back to disk.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import { selectPlatform } from "../platform/select.ts";
import { describeSystemError, SystemError } from "../platform/systemError.ts";
import { openTarget } from "./openTarget.ts";
import { RestoreRun } from "./restoreRun.ts";
import type { RestoreOptions, RestoreResult } from "./restoreTypes.ts";

/**
 * Restores and tells what was done. Problems with single files are notes (and counted in the result); they do not stop the rest.
 * @throws HoldfastError not-found (the path), disk-full, cancelled, io-error (the target itself), gateway-unreachable, key-wrong
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const platform = selectPlatform();
  let target: ReturnType<typeof openTarget>;
  try {
    target = openTarget(platform, options.target, !options.dryRun);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const shown = pathToText(options.target);
    const why = describeSystemError(error);
    throw new HoldfastError(ErrorCode.ioError, `the target ${shown} cannot be opened: ${why}`, {
      next: "Name a directory with --target, or a place where you may make one.",
      cause: error,
    });
  }
  try {
    return await new RestoreRun(options, platform, target).run();
  } finally {
    platform.close(target.handle);
  }
}
