// Damage that was found is told in the log and as an alert of its vault, which is over when a whole scrub or a repair finds none that is left.

import type { Gateway } from "../gateway.ts";
import type { ScrubProblem } from "./scrubOne.ts";

const kind = "damage-found";
const healedKind = "damage-healed";

type TellingGateway = Pick<Gateway, "alerts" | "catalog" | "logger">;

/** What people call a vault: ACCOUNT/VAULT. */
export function vaultLabel({ catalog }: Pick<Gateway, "catalog">, vault: string): string {
  const row = catalog.vaults.get(vault);
  const account = row === undefined ? undefined : catalog.accounts.get(row.account);
  return row === undefined ? vault : `${account?.name ?? row.account}/${row.name}`;
}

/** One pack or snapshot object that was not sound. */
export function tellDamage(gateway: TellingGateway, problem: ScrubProblem): void {
  const isHealed = problem.healedFrom !== null;
  gateway.logger.warn({ ...problem }, isHealed ? "scrub-healed" : "scrub-damage");
  const { vault, name, why, condition, healedFrom, notHealed } = problem;
  const what = `${problem.kind} ${name.slice(0, 16)} is ${condition} (${why})`;
  gateway.alerts.raise({
    kind: isHealed ? healedKind : kind,
    severity: isHealed ? "warning" : "critical",
    subject: vaultLabel(gateway, vault),
    message: isHealed
      ? `${what}, and was healed from replica ${healedFrom}. Look at the disk: damage seldom comes alone.`
      : `${what}, and was not healed: ${notHealed}. \`holdfast gateway check\` says what is hurt, \`holdfast gateway repair\` brings back what is whole.`,
    figures: { [problem.kind]: name, condition },
  });
}

/** Nothing that is damaged is left in a vault. */
export function damageOver(gateway: TellingGateway, vault: string): void {
  const subject = vaultLabel(gateway, vault);
  gateway.alerts.resolve(kind, subject);
  gateway.alerts.resolve(healedKind, subject);
}
