// Jobs as people read them.

import type { JobAnswer } from "../gateway/admin/jobOperations.ts";
import type { JobLine } from "../gateway/jobs/jobLog.ts";
import type { JobProgressAnswer } from "../gateway/jobs/shownProgress.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { type ProgressState, progressText } from "./cli/output/progressLine.ts";
import { formatBytes } from "./cli/units.ts";

/** "packs 3, bytes 12.0 MiB"; what is 0 is left out. */
export function figuresText(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(name, value)}`)
    .join(", ");
}

function shown(name: string, value: number): string {
  return name.endsWith("bytes") ? formatBytes(value) : String(value);
}

/** "backup of acme/laptop/files". */
export function jobTitle({ kind, subject }: Pick<JobAnswer, "kind" | "subject">): string {
  return `${kind}${subject === "" ? "" : ` of ${subject}`}`;
}

/** What a gateway says of a job that runs, as the progress line and JSON have it. */
export function progressState(progress: JobProgressAnswer): ProgressState {
  const { phase, unit, done, total, bytes, totalBytes, sentBytes, etaSeconds } = progress;
  return {
    label: phase,
    ...(unit !== undefined && { unit }),
    ...(done !== undefined && { files: done }),
    ...(total && { total_files: total }),
    ...(bytes !== undefined && { bytes }),
    ...(totalBytes && { total_bytes: totalBytes }),
    ...(sentBytes && { sent_bytes: sentBytes }),
    left_seconds: etaSeconds,
  };
}

/** "scrubbing  [##........]  21%  3 packs  1.2 GiB  4m left", for a job that runs. */
export function progressLineOf({ progress, stopAsked }: JobAnswer): string {
  const parts = [
    ...(stopAsked === null ? [] : ["asked to stop"]),
    ...(progress === null ? [] : [progressText(progressState(progress), 0)]),
  ];
  return parts.join("; ");
}

/** "2026-11-22T05:45:12Z  warn  pack-damaged pack=ab12". */
export function logLine({ time, level, text }: JobLine): string {
  return `${time.replace(/\.\d+Z$/, "Z")}  ${level.padEnd(5)} ${text}`;
}

/** @throws HoldfastError usage */
export function jobNumber(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new HoldfastError(ErrorCode.usage, `not a job's number: ${text}`, {
    next: "`holdfast job list` has them.",
  });
}
