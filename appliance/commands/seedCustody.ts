// holdfast seed custody

import { userInfo } from "node:os";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const note = args.text("add");
  const by = args.text("by") ?? userInfo().username;
  const { entries } = await withAdmin(context, ({ seed }) =>
    seed.custody(note === undefined ? undefined : { note, by }),
  );
  for (const entry of entries) {
    const { n, time, event, note: text } = entry;
    await output.result(`${n}  ${time}  ${event}  ${entry.by}${text === "" ? "" : `: ${text}`}`, entry);
  }
}
