// Collects garbage by itself while a gateway runs: every `gc-every-hours` (docs/retention.md, "Freeing space").
//
// Invariants
// - It is the operation that an administrator runs, with the budget of config.toml: what keeps things there keeps them here.
// - It never runs beside another collection: while one is under way it is due still.
// - Behind a prune that is due at the same time. The gateway's end stops it; the next start takes it up, after `restMs`, so that a gateway
//   which it brings down takes in backups in between.

import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import type { GcRequest, GcResult } from "../../admin/gcOperations.ts";
import { byGateway } from "../../audit/audit.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { GcFigures } from "../../catalog/scheduledRuns.ts";
import type { Gateway } from "../../gateway.ts";
import { Timetable } from "../timetable.ts";
import { collectedFigures } from "./collectGateway.ts";

const restMs = 10 * 60_000;
const failedAlert = "gc-failed";

export type GcSchedulePort = {
  readonly gateway: Pick<Gateway, "alerts" | "audit" | "collecting" | "dataDir" | "logger" | "now"> & {
    readonly catalog: Pick<Catalog, "gcRuns">;
  };
  /** Resolves when no scheduled prune is due. */
  readonly pruned: () => Promise<void>;
  readonly collect: (request: GcRequest, signal: AbortSignal) => Promise<GcResult>;
  readonly monotonicMs: () => number;
};

export function gcSchedule({ gateway, pruned, collect, monotonicMs }: GcSchedulePort): Timetable<GcFigures> {
  const fail = (why: string): void => {
    gateway.alerts.raise({
      ...{ kind: failedAlert, severity: "warning", subject: "gateway", figures: {} },
      message: `The scheduled garbage collection failed: ${why}. It is tried again after gc-every-hours; what it freed before counts.`,
    });
  };
  return new Timetable({
    ...{ gateway, what: "garbage collection", runs: gateway.catalog.gcRuns, monotonicMs, restMs },
    everyHours: () => gateway.dataDir.settings.gcEveryHours,
    behind: pruned,
    work: async (ending) => {
      if (gateway.collecting.now !== null) return undefined;
      const { gcBudgetGiB, gcForHours } = gateway.dataDir.settings;
      const request: GcRequest = {
        ...{ dryRun: false, evicted: false },
        budgetBytes: gcBudgetGiB === 0 ? null : gcBudgetGiB * 2 ** 30,
        forSeconds: gcForHours === 0 ? null : gcForHours * 3600,
      };
      const nothing = { snapshots: 0, freedBytes: 0, held: 0 };
      try {
        const result = await collect(request, ending);
        const { snapshots, records, freedBytes, held } = collectedFigures(result);
        gateway.audit.note(
          byGateway("garbage.collected", { account: null, snapshots, records, bytes: freedBytes }),
        );
        const broken = result.held.filter(({ why }) => why === "damaged");
        const failed = broken
          .map(({ account, vault, message }) => `${account}/${vault}: ${message}`)
          .join("; ");
        if (failed === "") gateway.alerts.resolve(failedAlert, "gateway");
        else fail(failed);
        return { snapshots, freedBytes, held, failed: failed === "" ? null : failed };
      } catch (error) {
        if (ending.aborted) return undefined;
        const { message } = error as Error;
        if (isHoldfastError(error, ErrorCode.cancelled)) return { ...nothing, failed: message };
        gateway.logger.error({ err: error }, "the scheduled garbage collection failed");
        fail(message);
        return { ...nothing, failed: message };
      }
    },
  });
}
