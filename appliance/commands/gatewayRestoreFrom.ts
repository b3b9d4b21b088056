// holdfast gateway restore-from

import { resolve } from "node:path";
import type { WantedState } from "../../gateway/replica/restore/gatewayState.ts";
import {
  type RestorePlan,
  type RestoreReport,
  restoreFrom,
} from "../../gateway/replica/restore/restoreFrom.ts";
import { Proxies } from "../../ingest/line/proxies.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { givenProxy } from "../agentLine.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatTable } from "../cli/output/table.ts";
import { readRecoveryKey } from "../cli/password.ts";
import { replicaPlaceOf } from "../cli/replicaPlace.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { shellWord } from "../shellWord.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const data = resolve(args.requiredText("data"));
  const wanted = wantedState(args.text("at"));
  const dryRun = args.flag("dry-run");
  const recoveryKey = parseRecoveryKey("gateway", await readRecoveryKey(context));
  let report: RestoreReport;
  try {
    report = await restoreFrom({
      url: args.operand(0),
      options: replicaPlaceOf(args),
      proxies: new Proxies(givenProxy(args), context.environment),
      recoveryKey,
      data,
      listen: args.text("listen"),
      wanted,
      keepRemote: args.flag("keep-remote"),
      allowDamaged: args.flag("allow-damaged"),
      dryRun,
      now: () => new Date(),
      signal,
      onPlan: (plan) => tellPlan(plan, output),
      onProgress: ({ objects, bytes, totalObjects, totalBytes }) =>
        output.progress({
          label: "restoring",
          unit: "object",
          files: objects,
          bytes,
          total_files: totalObjects,
          total_bytes: totalBytes,
        }),
    });
  } finally {
    recoveryKey.fill(0);
  }
  output.endProgress();
  for (const { object, message } of report.damage) output.warn(message, object);
  const hurt = report.vaults.flatMap((vault) => vault.hurt);
  for (const id of hurt) output.warn(`snapshot ${id} is not whole: what it lacks is on the need-list`);
  const seconds = Math.round(nowMs() - startedMs) / 1000;
  tellEnd(report, { data, dryRun, keepRemote: args.flag("keep-remote"), seconds }, output);
}

/** A generation, or a time. @throws HoldfastError usage */
function wantedState(at: string | undefined): WantedState {
  if (at === undefined) return "newest";
  if (/^[1-9][0-9]{0,9}$/.test(at)) return { generation: Number(at) };
  if (!Number.isNaN(Date.parse(at))) return { time: new Date(at).toISOString() };
  throw new HoldfastError(ErrorCode.usage, `--at: neither a generation nor a time: ${at}`, {
    next: "Write it like 17, or like 2026-11-22T05:45:12Z.",
  });
}

function tellPlan(plan: RestorePlan, output: Output): void {
  const { name, gateway, generation, newest, time, accounts, devices, vaults, resumed } = plan;
  output.line(
    `Gateway ${name} (${gateway}) as of ${time}: generation ${generation} of ${newest}, ` +
      `${formatCount(accounts, "account")}, ${formatCount(devices, "device")}.`,
  );
  if (resumed) output.line("A restore that was stopped goes on, from the roots that it began with.");
  if (vaults.length > 0) {
    const rows = vaults.map((vault) => [
      `${vault.account}/${vault.name}`,
      vault.time,
      String(vault.snapshots),
      String(vault.packs),
      formatBytes(vault.packBytes),
    ]);
    output.line(formatTable(["VAULT", "AS OF", "SNAPSHOTS", "PACKS", "STORED"], rows));
  }
  const listed = vaults.map(({ packBytes, ...vault }) => ({ ...vault, pack_bytes: packBytes }));
  output.event({
    event: "plan",
    gateway,
    name,
    generation,
    newest,
    time,
    accounts,
    devices,
    resumed,
    vaults: listed,
  });
}

type End = { data: string; dryRun: boolean; keepRemote: boolean; seconds: number };

function tellEnd(report: RestoreReport, { data, dryRun, keepRemote, seconds }: End, output: Output): void {
  const { replica, vaults, damage } = report;
  if (dryRun) output.line("Nothing was written.");
  else {
    const word = shellWord(data);
    output.line(`The gateway is in ${data}.`);
    output.line(`Next: holdfast gateway run --data ${word}`);
    output.line(
      keepRemote
        ? "Content stays in the replica and is read from there."
        : "Content is read from the replica, and comes to this disk in the background while the gateway runs.",
    );
    output.line(
      `Nothing is written to the replica until you say that this gateway goes on: holdfast replica run ${shellWord(replica)} --take-over --data ${word}`,
    );
  }
  output.event({
    event: "done",
    dry_run: dryRun,
    data,
    replica,
    vaults: vaults.map(({ packBytes, ...vault }) => ({ ...vault, pack_bytes: packBytes })),
    damage,
    seconds,
  });
}
