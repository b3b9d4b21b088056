// holdfast guard set

import { type GuardRule, type GuardSettings, guardRules } from "../../gateway/guard/thresholds.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { itemOf } from "../retentionLines.ts";
import { parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const [off, on] = [args.flag("off"), args.flag("on")];
  if (off && on) throw new HoldfastError(ErrorCode.usage, "either --on or --off");
  const rules = guardRules.map((rule) => [rule, args.integer(rule) ?? null] as const);
  const given: GuardSettings = {
    ...(Object.fromEntries(rules) as Record<GuardRule, number | null>),
    off: off ? true : on ? false : null,
  };
  const settings = Object.values(given).every((value) => value === null) ? null : given;
  await withAdmin(context, ({ guard }) =>
    guard.set({ ...itemOf(context), ...parseVaultName(args.operand(0)), settings }),
  );
  output.event({ event: "done", settings });
  const parts = [
    ...(off ? ["off"] : on ? ["on"] : []),
    ...rules.filter(([, value]) => value !== null).map(([rule, value]) => `${rule} ${value} %`),
  ];
  output.line(
    settings === null
      ? "Removed: what is wider counts."
      : `Set: ${parts.join(", ")}; the rest as what is wider says.`,
  );
}
