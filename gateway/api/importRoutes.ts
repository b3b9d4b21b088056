// The admin socket's routes for importing boxes and giving them up.

import type { FastifyInstance } from "fastify";
import type {
  AbandonProgress,
  AbandonRequest,
  ImportOperations,
  ImportProgress,
  ImportRequest,
} from "../admin/importOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { array, boxNumber, flag, object } from "./schemas.ts";

const source = { type: "string", minLength: 1, maxLength: 4096 } as const;

export function importRoutes(app: FastifyInstance, gateway: Gateway, operations: ImportOperations): void {
  jobRoute(
    app,
    gateway,
    "/seed/import",
    object(
      {
        sources: { ...array(source), minItems: 1, maxItems: 64 },
        box: boxNumber,
        finish: flag,
        dryRun: flag,
      },
      ["box"],
    ),
    async (body: ImportRequest, watch: JobWatch<ImportProgress>) => {
      const report = await operations.run(body, watch);
      const { box, outcomes, left, state } = report;
      gateway.logger.info({ box, ...outcomes, left, state, dryRun: body.dryRun }, "box imported");
      return report;
    },
  );
  jobRoute(
    app,
    gateway,
    "/seed/abandon",
    object({ box: boxNumber, dryRun: flag }),
    async (body: AbandonRequest, watch: JobWatch<AbandonProgress>) => {
      const report = await operations.abandon(body, watch);
      const { box, needs } = report;
      if (!body.dryRun) gateway.logger.warn({ box, needs }, "box abandoned");
      return report;
    },
  );
}
