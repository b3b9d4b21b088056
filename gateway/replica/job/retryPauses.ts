// What becomes of a job after a failure, and when a waiting one is tried again.

import { randomInt } from "node:crypto";
import { ErrorCode, type HoldfastError } from "../../../vault/errors.ts";
import type { JobState } from "./replicationStatus.ts";

export type RetryPauses = { readonly firstMs: number; readonly maxMs: number };

export const retryPausesDefault: RetryPauses = { firstMs: 5000, maxMs: 300_000 };

const waitFor: readonly ErrorCode[] = [
  ErrorCode.replicaUnreachable,
  ErrorCode.replicaFull,
  ErrorCode.diskFull,
  ErrorCode.ioError,
  ErrorCode.busy,
];

/** Failures that end by themselves are waited for; fenced and refused jobs wait for `replica run`; a run that was stopped left nothing to mend. */
export function stateAfter(error: HoldfastError): JobState {
  if (error.code === ErrorCode.cancelled) return "idle";
  if (error.code === ErrorCode.replicaFenced) return "fenced";
  return waitFor.includes(error.code) ? "waiting" : "stopped";
}

/** The pause after so many failures in a row: twice as long each time, spread, so that many jobs do not come back at once. */
export function pauseAfter(failures: number, { firstMs, maxMs }: RetryPauses): number {
  const longest = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return longest - randomInt(Math.floor(longest / 2) + 1);
}
