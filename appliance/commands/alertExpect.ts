// holdfast alert expect

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { parseItemName } from "../itemName.ts";
import { spanText } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const { account, device, item } = parseItemName(args.operand(0));
  const every = args.duration("every");
  const wishes = [every !== undefined, args.flag("never"), args.flag("learn")].filter(Boolean).length;
  if (wishes !== 1 || every === 0) {
    throw new HoldfastError(ErrorCode.usage, "one of --every TIME, --never and --learn is needed");
  }
  const everySeconds = every ?? (args.flag("never") ? null : "learn");
  await withAdmin(context, ({ alerts }) => alerts.expect({ account, device, item, everySeconds }));
  output.event({ event: "done", account, device, item, every_seconds: everySeconds });
  output.line(`Expected of ${args.operand(0)}: ${textOf(everySeconds)}.`);
}

function textOf(everySeconds: number | null | "learn"): string {
  if (everySeconds === null) return "nothing; no snapshot is missed";
  return everySeconds === "learn" ? "as its backups come" : `a snapshot every ${spanText(everySeconds)}`;
}
