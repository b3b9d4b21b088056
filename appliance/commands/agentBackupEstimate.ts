// holdfast agent backup --estimate

import type { BackupRequest } from "../../agent/backup/request.ts";
import { surveyUntil } from "../../agent/backup/survey.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";

/** An estimate is no work of its own: what is not counted by then is "at least". */
const estimateMs = 60_000;
const filesMax = 2_000_000;

/** Counts, without looking at what was backed up before and without the gateway. */
export async function reportEstimate(
  request: BackupRequest,
  { output, signal, nowMs }: CommandContext,
): Promise<void> {
  const endMs = nowMs() + estimateMs;
  const { files, bytes, complete } = await surveyUntil(
    request,
    (found) => signal.aborted || found.files >= filesMax || nowMs() > endMs,
  );
  if (signal.aborted)
    throw new HoldfastError(ErrorCode.cancelled, "the estimate was stopped", { next: "Run again." });
  output.line(`${complete ? "" : "At least "}${formatCount(files, "file")}, ${formatBytes(bytes)}.`);
  output.event({ event: "done", estimate: true, item: request.item, files, bytes, complete });
}
