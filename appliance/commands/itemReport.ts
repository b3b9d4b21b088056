// What the commands that change an item's definition say in the end.

import type { DefinedItemAnswer } from "../../gateway/admin/itemOperations.ts";
import type { CommandContext } from "../cli/command.ts";
import { scheduleText, takesText } from "../itemChanges.ts";
import { placeText } from "../retentionLines.ts";

export function reportItem({ output }: CommandContext, answer: DefinedItemAnswer | null): void {
  if (answer === null) throw new Error("a definition that was set is not there");
  const { account, device, item, revision, definition, nextDue } = answer;
  output.event({ event: "done", account, device, item, revision, next_due: nextDue, definition });
  output.line(`${placeText([account, device, item])}, revision ${revision}: ${takesText(definition)}.`);
  output.line(`Due: ${scheduleText(definition)}${dueText(answer)}.`);
}

/** ", disabled", ", next at ..." or nothing. */
function dueText({ definition, nextDue }: DefinedItemAnswer): string {
  if (!definition.enabled) return ", disabled";
  return nextDue === null ? "" : `, next at ${nextDue}`;
}
