// Collects the garbage of all vaults of a gateway, one after the other.

import { setTimeout as pause } from "node:timers/promises";
import type { GcRequest, GcResult, GcVault } from "../../admin/gcOperations.ts";
import type { JobWatch } from "../../admin/job.ts";
import { requireNoBox } from "../../admin/requestChecks.ts";
import { vaultsInScope } from "../../admin/retentionScope.ts";
import { unknownWriter } from "../../catalog/devices.ts";
import type { Gateway } from "../../gateway.ts";
import type { ShownProgress } from "../../jobs/shownProgress.ts";
import { type Collection, type GcPlan, type GcProgress, Held } from "./collection.ts";
import { collectVault, type VaultCollected } from "./collectVault.ts";
import type { GcBy } from "./gcRuns.ts";
import { Pace } from "./pace.ts";
import type { Repacked } from "./repack.ts";

/** See GcOperations; `by` the one who runs it. */
export function collectGateway(
  gateway: Gateway,
  request: GcRequest,
  watch: JobWatch<GcProgress>,
  by: GcBy = "administrator",
): Promise<GcResult> {
  const { dryRun } = request;
  const run = { by, dryRun, started: gateway.now().toISOString() };
  return gateway.collecting.run(run, watch, (watch) => {
    const work = (watch: JobWatch<GcProgress>): Promise<GcResult> => collectAll(gateway, request, watch);
    if (dryRun) return work(watch);
    const subject = by === "schedule" ? "by itself" : (request.account ?? "");
    return gateway.jobs.run({ kind: "gc", subject }, { ...watch, shown: gcShown }, work, (result) => ({
      figures: collectedFigures(result),
    }));
  });
}

/** What went in all vaults. `packs` that went, `held`: vaults in which nothing may go. */
export function collectedFigures({ vaults, held }: GcResult): GcSums {
  const sum = (of: (vault: GcVault) => number): number => vaults.reduce((total, each) => total + of(each), 0);
  return {
    snapshots: sum(({ plan }) => plan.snapshots),
    records: sum(({ records }) => records),
    packs: sum((vault) => vault.removedPacks + vault.repackedPacks + vault.mergedPacks),
    copiedBytes: sum(({ copiedBytes }) => copiedBytes),
    freedBytes: sum(({ freedBytes }) => freedBytes),
    held: held.length,
  };
}

function gcShown({ phase, done, total }: GcProgress): ShownProgress {
  // What is copied counts in bytes, the rest in what each phase goes through.
  return phase === "repacking" ? { phase, bytes: done, totalBytes: total } : { phase, done, total };
}

type GcSums = Readonly<
  Record<"snapshots" | "records" | "packs" | "copiedBytes" | "freedBytes" | "held", number>
>;

async function collectAll(
  gateway: Gateway,
  request: GcRequest,
  { onProgress, signal }: JobWatch<GcProgress>,
): Promise<GcResult> {
  requireNoBox(gateway.dataDir, "which frees nothing", "Its datacentre collects garbage.");
  const { catalog, monotonicMs } = gateway;
  const endMs = request.forSeconds === null ? undefined : monotonicMs() + request.forSeconds * 1000;
  const hasTime = (): boolean => endMs === undefined || monotonicMs() < endMs;
  let budget = request.budgetBytes ?? Number.POSITIVE_INFINITY;
  const vaults: GcVault[] = [];
  const held: GcResult["held"][number][] = [];
  const failures: unknown[] = [];
  const failed = (vault: string, error: unknown): void => {
    signal.throwIfAborted();
    gateway.logger.error({ vault, err: error }, "garbage-not-collected");
    failures.push(error);
  };
  const scope = request.account === undefined ? {} : { account: request.account };
  const vaultsThere = await vaultsInScope(gateway, scope, failed);
  for (const { vault, account, accountId, name: vaultName } of vaultsThere) {
    const name = { account, vault: vaultName };
    const sleep = async (ms: number, end?: AbortSignal): Promise<void> => {
      const either = end === undefined ? signal : AbortSignal.any([signal, end]);
      await pause(ms, undefined, { signal: either }).catch(() => undefined);
    };
    let plan: GcPlan | null = null;
    const collection: Collection = {
      vault,
      writerOrdinal: (device) => catalog.devices.get(device)?.ordinal ?? unknownWriter,
      nowMs: gateway.now().getTime(),
      dryRun: request.dryRun,
      evicted: request.evicted,
      pace: new Pace({ monotonicMs, sleep, activity: () => vault.store.activity, signal }),
      sleep,
      tell: (phase, done, total) => onProgress({ ...name, phase, done, total, plan }),
      report: (event, facts) => gateway.logger.info({ vault: vault.id, ...facts }, event),
    };
    try {
      const collected = await collectVault(collection, { bytes: budget, hasTime }, (found) => {
        plan = found;
      });
      budget -= collected.repacked.copiedBytes + collected.merged.copiedBytes;
      const told = figures(collected);
      vaults.push({ ...name, ...told });
      if (!request.dryRun) gateway.logger.info({ vault: vault.id, ...told }, "garbage-collected");
    } catch (error) {
      if (error instanceof Held) {
        held.push({ ...name, why: error.why, message: error.message });
        gateway.logger.warn({ vault: vault.id, why: error.message }, "garbage-not-collected");
      } else failed(vault.id, error);
    }
    // Drives and agents see what left; replicas follow.
    if (!request.dryRun) gateway.changes.tell(accountId);
  }
  // The other vaults had their turn all the same.
  if (failures.length > 0) throw failures[0];
  return { dryRun: request.dryRun, vaults, held };
}

function figures({
  plan,
  refs,
  records,
  removed,
  repacked,
  merged,
}: VaultCollected): Omit<GcVault, "account" | "vault"> {
  return {
    plan,
    refs,
    records,
    removedPacks: removed.packs,
    repackedPacks: repacked.packs,
    mergedPacks: merged.packs,
    copiedBytes: repacked.copiedBytes + merged.copiedBytes,
    freedBytes: removed.bytes + net(repacked) + net(merged),
    damagedPacks: repacked.damaged + merged.damaged,
    leftPacks: repacked.left + merged.left,
    waitingPacks: removed.waiting + repacked.waiting + merged.waiting,
  };
}

function net({ removedBytes, copiedBytes }: Repacked): number {
  return removedBytes - copiedBytes;
}
