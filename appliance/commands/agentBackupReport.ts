// What `holdfast agent backup` says of a run that is over.

import type { BackupOutcome, BackupRequest } from "../../agent/backup/request.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";

export type BackupReport = {
  readonly request: BackupRequest;
  readonly outcome: BackupOutcome;
  readonly output: Output;
  readonly seconds: number;
  /** What there is to back up, where somebody looked. */
  readonly totalBytes: number | undefined;
  /** Another run follows at once where this one was incomplete: its event is not the last. */
  readonly goesOn: boolean;
};

/** Fewer are not worth a line. */
const renumberedMin = 20;

/** Prints the result: lines for people, and the event. */
export function reportBackup(report: BackupReport): void {
  const { outcome, output, goesOn } = report;
  const { stopped, program } = outcome;
  output.line(`Snapshot ${outcome.snapshot.slice(0, 16)} of ${report.request.item}: ${figures(report)}.`);
  const { renumbered, filesRead } = outcome.counts;
  // Some always are: a file was replaced by one of the same size and times.
  if (renumbered >= renumberedMin && renumbered * 2 > filesRead) {
    output.line(
      `Of the files that were read ${renumbered} were as before but for their inodes, which their file system does not keep: with --ignore-inode they are not read.`,
    );
  }
  if (stopped !== undefined) {
    const { bytes } = outcome.counts;
    const of =
      report.totalBytes === undefined ? "" : ` of ${formatBytes(Math.max(bytes, report.totalBytes))}`;
    output.line(
      `It is INCOMPLETE: portion ${outcome.portion} stopped at --limit-${stopped.limit}, before ${displayPath(stopped.path)}, with ${formatBytes(bytes)}${of}.` +
        (goesOn
          ? ""
          : " Run the same command again to go on there. Until a run is complete, restore from it by its id: it is not `latest`."),
    );
  }
  if (program?.failed !== undefined) {
    output.line(
      `It is marked as FAILED: the command ${program.failed}. Restore from it by its id: it is not \`latest\`.`,
    );
  }
  output.event(eventOf(report));
}

function figures({ outcome, output, seconds }: BackupReport): string {
  const { counts, reference } = outcome;
  return (
    `${formatCount(counts.files, "file")}, ` +
    `${formatCount(counts.dirs, "folder")}, ${formatBytes(counts.bytes)} in ${formatDuration(seconds)}; ` +
    `${formatCount(counts.filesRead, "file")} read, ${formatBytes(outcome.sentBytes)} sent` +
    `${reference !== undefined && reference.files > 0 ? `, ${formatCount(reference.files, "file")} kept where ${reference.device} has them` : ""}` +
    `${output.warnings > 0 ? `, ${formatCount(output.warnings, "warning")}` : ""}`
  );
}

function eventOf({ request, outcome, output, seconds, goesOn }: BackupReport): Record<string, unknown> {
  const { counts, reference, stopped, program } = outcome;
  const failed = program?.failed !== undefined;
  return {
    event: failed ? "kept" : goesOn && stopped !== undefined ? "portion" : "done",
    snapshot: outcome.snapshot,
    item: request.item,
    incomplete: stopped !== undefined || failed,
    portion: outcome.portion,
    stopped_by: stopped === undefined ? null : `limit-${stopped.limit}`,
    stopped_at: stopped === undefined ? null : displayPath(stopped.path),
    files: counts.files,
    dirs: counts.dirs,
    others: counts.others,
    bytes: counts.bytes,
    files_read: counts.filesRead,
    bytes_read: counts.bytesRead,
    files_renumbered: counts.renumbered,
    new_chunks: outcome.newChunks,
    sent_bytes: outcome.sentBytes,
    read_back_bytes: outcome.readBackBytes,
    reference:
      reference === undefined
        ? null
        : {
            snapshot: reference.snapshot,
            device: reference.device,
            item: reference.item,
            files: reference.files,
            bytes: reference.bytes,
            page_bytes: reference.pageBytes,
            read_bytes: reference.readBytes,
          },
    ...(program !== undefined && { program: program.end }),
    warnings: output.warnings,
    seconds,
  };
}
