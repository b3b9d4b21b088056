// Holds of the guard as lines for people, and what the commands that settle them share.

import type { GuardAnswer, GuardWord } from "../gateway/admin/guardOperations.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { CommandContext } from "./cli/command.ts";
import { withAdmin } from "./gatewayAccess.ts";
import { itemOf, placeText, shownId } from "./retentionLines.ts";
import { parseVaultName } from "./vaultName.ts";

/** What is held since when, why, and by which figures. */
export function holdLines({ account, vault, device, item, hold }: GuardAnswer): string[] {
  if (hold === null) return [];
  const { state, since, snapshot, rules, figures, pins } = hold;
  const why = rules.map(({ rule, share, threshold, usual }) => {
    const measure =
      usual === null ? `from ${threshold} % on` : `from ${threshold} % on, usual up to ${usual} %`;
    return `${rule} ${share} % (${measure})`;
  });
  const values = Object.entries(figures).map(([name, value]) => `${name} ${value ?? "-"}`);
  return [
    `${placeText([account, vault, device, item])}: ${state === "held" ? "held" : "held, confirmed as an attack"} since ${since}`,
    `    by snapshot ${shownId(snapshot)} and later ones: ${why.join("; ")}`,
    `    ${values.join(", ")}`,
    `    pinned: ${pins.length === 0 ? "none" : pins.map(shownId).join(" ")}`,
  ];
}

const said: Readonly<Record<GuardWord, string>> = {
  accept: "accepted: what came since counts as usual, and policies decide again.",
  confirm: "confirmed as an attack: hold and pins stay until holdfast guard release.",
  release: "released: later backups count again; pins stay until holdfast snapshot unpin.",
};

/** The commands `guard accept`, `confirm` and `release`. */
export async function settleHolds(context: CommandContext, word: GuardWord): Promise<void> {
  const { args, output } = context;
  const request = { ...itemOf(context), ...parseVaultName(args.operand(0)) };
  if ((request.item === undefined) !== args.flag("all")) {
    throw new HoldfastError(ErrorCode.usage, "either --item or --all is needed", {
      next: "`holdfast guard status` shows what is held.",
    });
  }
  const answers = await withAdmin(context, ({ guard }) => guard.settle(word, request));
  output.event({ event: "done", items: answers });
  for (const { account, vault, device, item } of answers) {
    output.line(`${placeText([account, vault, device, item])} is ${said[word]}`);
  }
}
