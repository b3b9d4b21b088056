// --program-timeout and --program-idle-timeout.

import type { ProgramLimits } from "../agent/program/overtime.ts";
import type { Arguments } from "./cli/arguments.ts";

/** @param idleSecondsUsual without --program-idle-timeout; undefined for none */
export function commandLimits(args: Arguments, idleSecondsUsual?: number): ProgramLimits {
  const ms = (seconds: number | undefined): number | undefined =>
    seconds === undefined || seconds === 0 ? undefined : seconds * 1000;
  return {
    timeoutMs: ms(args.duration("program-timeout")),
    idleMs: ms(args.duration("program-idle-timeout") ?? idleSecondsUsual),
  };
}
