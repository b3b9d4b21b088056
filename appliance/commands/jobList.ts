// holdfast job list

import type { JobKind } from "../../gateway/jobs/jobRows.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatDuration, parseDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { figuresText, progressLineOf } from "../jobLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, nowMs } = context;
  const since = args.text("since");
  const filter = {
    failed: args.flag("failed"),
    running: args.flag("running"),
    limit: args.integer("limit") ?? 50,
    ...(args.text("kind") !== undefined && { kind: args.text("kind") as JobKind }),
    ...(since !== undefined && { sinceMs: sinceMs(since, nowMs()) }),
  };
  if (filter.limit < 1) throw new HoldfastError(ErrorCode.usage, "--limit is at least 1");
  const rows = await withAdmin(context, ({ jobs }) => jobs.list(filter));
  output.event(rows);
  if (rows.length === 0) return output.line("No jobs.");
  const lines = rows.map((row) => {
    const { id, kind, subject, started, seconds, result, failure, figures } = row;
    const notes = failure === null ? figuresText(figures) : `${failure.code}: ${failure.message}`;
    return [
      ...[String(id), started, kind, subject, result],
      seconds === null ? "-" : formatDuration(seconds),
      result === "running" ? progressLineOf(row) : notes,
    ];
  });
  output.line(formatTable(["ID", "STARTED", "KIND", "OF", "RESULT", "TOOK", "NOTES"], lines));
}

/** @throws HoldfastError usage */
function sinceMs(text: string, nowMs: number): number {
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : nowMs - parseDuration(text) * 1000;
  if (Number.isFinite(atMs)) return Math.max(0, Math.round(atMs));
  throw new HoldfastError(ErrorCode.usage, `not a time: ${text}`, {
    next: "Write it like 2026-11-22T05:45:12Z, 2026-11-22 or 2d.",
  });
}
