// What becomes of an error with one entry: the restore says so and goes on, unless everything else would fail as well.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { describeSystemError, SystemError } from "../platform/systemError.ts";
import { isDiskFull } from "./applyMetadata.ts";
import type { RunCounts } from "./runCounts.ts";

/**
 * Notes an error with the entry at `path`.
 * @throws what ends the restore: disk-full, gateway-unreachable, cancelled, and what nobody foresaw
 */
export function noteProblem(counts: RunCounts, path: Buffer, error: unknown): void {
  if (
    isHoldfastError(error) &&
    error.code !== ErrorCode.gatewayUnreachable &&
    error.code !== ErrorCode.cancelled
  ) {
    counts.note("error", path, error.code, error.message);
    return;
  }
  if (!(error instanceof SystemError)) throw error;
  if (isDiskFull(error)) {
    throw new HoldfastError(ErrorCode.diskFull, `no room left at the target: ${describeSystemError(error)}`, {
      next: "Make room and run the same command again: it goes on where this one stopped.",
      detail: { path: error.path.toString() },
    });
  }
  counts.note("error", path, ErrorCode.ioError, describeSystemError(error));
}
