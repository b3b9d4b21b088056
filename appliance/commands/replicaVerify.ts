// holdfast replica verify

import type { VerifyBudget, VerifyProgress } from "../../gateway/replica/verify/verifyReplica.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { formatCost } from "../replicaFigures.ts";
import { shellWord } from "../shellWord.ts";

const shareDefault = "5%";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const request = {
    name: args.operand(0),
    sharePercent: parseShare(args.text("share") ?? shareDefault),
    heal: args.flag("heal"),
  };
  let said = false;
  const onProgress = ({ budget, objectsDone, bytesDone }: VerifyProgress): void => {
    if (!said) {
      said = true;
      const more = request.heal ? " What has to be healed is read once more after that." : "";
      output.note(`Will ask for ${budgetText(budget)}.${more}`);
      output.event({ event: "budget", ...jsonOf(budget) });
    }
    output.progress({
      label: "verifying",
      unit: "object",
      files: objectsDone,
      total_files: budget.objects,
      bytes: bytesDone,
    });
  };
  const report = await withAdmin(context, ({ replicas }) => replicas.verify(request, { onProgress, signal }));
  output.endProgress();
  for (const { key, why, healed } of report.findings) {
    // What is wrong with a pack or a snapshot names it already.
    const what = why.includes(key.slice(key.lastIndexOf("/") + 1)) ? why : `${key}: ${why}`;
    if (healed) output.warn(`${what}; it is healed`);
    else output.fault(what);
  }
  const right = `${report.packsVerified} of ${formatCount(report.packs, "pack")} read and right`;
  output.line(`${right}; asked for ${budgetText(report.used)}.`);
  const unhealed = report.findings.filter(({ healed }) => !healed);
  output.event({
    event: "done",
    packs: report.packs,
    packs_verified: report.packsVerified,
    budget: jsonOf(report.budget),
    used: jsonOf(report.used),
    findings: report.findings,
    warnings: output.warnings,
    seconds: Math.round(nowMs() - startedMs) / 1000,
  });
  if (unhealed.length === 0) return;
  throw new HoldfastError(
    ErrorCode.replicaDamaged,
    `the replica has ${formatCount(unhealed.length, "wrong object")}`,
    {
      next: request.heal
        ? "There was no good copy here to heal them with."
        : `\`holdfast replica verify ${shellWord(request.name)} --heal\` puts good copies there, where this disk has them.`,
    },
  );
}

function budgetText({ objects, requests, egressBytes, costUsd }: VerifyBudget): string {
  const cost = costUsd === null ? "" : `, ${formatCost(costUsd)} at list prices`;
  return `${formatCount(objects, "object")} in ${formatCount(requests, "request")}, ${formatBytes(egressBytes)}${cost}`;
}

function jsonOf({ objects, requests, egressBytes, costUsd }: VerifyBudget): Record<string, number | null> {
  return { objects, requests, egress_bytes: egressBytes, cost_usd: costUsd };
}

/** "5%" or "5". */
function parseShare(text: string): number {
  const match = /^(?<number>\d{1,3}(?:\.\d{1,3})?)\s*%?$/.exec(text.trim());
  const share = Number(match?.groups?.number ?? Number.NaN);
  if (share > 0 && share <= 100) return share;
  throw new HoldfastError(ErrorCode.usage, `--share: not a share: ${text}`, {
    next: "Write it like 5% or 100%.",
  });
}
