// holdfast gateway audit verify

import type { NotedHead } from "../../gateway/audit/readLog.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const heads = args.texts("head").map(parseHead);
  const onProgress = ({ entries }: { readonly entries: number }): void =>
    output.progress({ label: "verifying the audit log", unit: "line", files: entries });
  const answer = await withAdmin(context, ({ audit }) => audit.verify({ heads }, { onProgress, signal }));
  output.endProgress();
  const { head, headTime, problems, problemsInAll, notes } = answer;
  output.event({ event: "verified", ...answer });
  for (const note of notes) output.note(`note: ${note}`);
  for (const problem of problems) output.fault(problem);
  if (problemsInAll > 0) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `the audit log is not what was written: ${formatCount(problemsInAll, "problem")}`,
      { next: "Keep audit/ as it is, and find out who can write to the gateway's disk." },
    );
  }
  for (const each of answer.heads) output.line(`Line ${each.sequence} is as ${each.by} noted it.`);
  output.line(`${formatCount(answer.entries, "entry", "entries")}, each chained to the one before.`);
  if (headTime !== null) output.line(`Head: ${head.sequence}:${head.hash}, of ${headTime}.`);
  output.event({ event: "done", entries: answer.entries, head });
}

/** @throws HoldfastError usage */
function parseHead(text: string): NotedHead {
  const match = /^(?<sequence>[1-9]\d{0,14}):(?<hash>[0-9a-f]{64})$/.exec(text);
  if (match?.groups === undefined) {
    throw new HoldfastError(ErrorCode.usage, `--head is not SEQUENCE:HASH: ${text}`, {
      next: "Take it as an earlier `holdfast gateway audit verify` printed it.",
    });
  }
  return { sequence: Number(match.groups.sequence), hash: match.groups.hash ?? "", by: "--head" };
}
