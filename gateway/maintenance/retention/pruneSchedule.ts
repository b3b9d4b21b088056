// Prunes by itself while a gateway runs: every `prune-every-hours` (docs/retention.md).
//
// Invariants
// - One that comes early takes nothing that the next would not have taken: policies look at when snapshots were received, not at what time it is.
// - What is held (guard, box) stays, as with a prune by hand: it is the same operation.

import type { PruneResult } from "../../admin/retentionOperations.ts";
import { byGateway } from "../../audit/audit.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { PruneFigures } from "../../catalog/scheduledRuns.ts";
import type { Gateway } from "../../gateway.ts";
import { Timetable } from "../timetable.ts";

const failedAlert = "prune-failed";

export type PruneSchedulePort = {
  readonly gateway: Pick<Gateway, "alerts" | "audit" | "dataDir" | "logger" | "now"> & {
    readonly catalog: Pick<Catalog, "pruneRuns">;
  };
  readonly prune: () => Promise<PruneResult>;
  readonly monotonicMs: () => number;
};

export function pruneSchedule({ gateway, prune, monotonicMs }: PruneSchedulePort): Timetable<PruneFigures> {
  return new Timetable({
    ...{ gateway, what: "prune", runs: gateway.catalog.pruneRuns, monotonicMs },
    everyHours: () => gateway.dataDir.settings.pruneEveryHours,
    work: async () => {
      try {
        const { trashed, kept, held } = await prune();
        gateway.logger.info({ trashed, kept, held }, "snapshots pruned by schedule");
        gateway.audit.note(byGateway("retention.pruned", { trashed, kept }));
        gateway.alerts.resolve(failedAlert, "gateway");
        return { trashed, failed: null };
      } catch (error) {
        const { message } = error as Error;
        gateway.logger.error({ err: error }, "the scheduled prune failed");
        gateway.alerts.raise({
          ...{ kind: failedAlert, severity: "warning", subject: "gateway", figures: {} },
          message: `The scheduled prune failed: ${message}. It is tried again after prune-every-hours.`,
        });
        return { trashed: 0, failed: message };
      }
    },
  });
}
