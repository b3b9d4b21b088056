// The admin socket's route that makes boxes which restore.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type { StageOperations, StageProgress, StageRequest } from "../admin/stageOperations.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { array, base64, count, flag, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const path = { type: "string", minLength: 1, maxLength: 4096 } as const;
const snapshot = object({
  snapshot: { type: "string", maxLength: 64 },
  path: { type: "string", maxLength: 65_536 },
});
const kdf = object({ suite: count, iterations: count, salt: base64(32) });

const body = object(
  {
    directory: path,
    listen: text,
    urls: array({ type: "string", maxLength: 300 }),
    name: text,
    by: text,
    key: object({ kdf, r: base64(24) }),
    snapshots: { ...array(snapshot), minItems: 1, maxItems: 1000 },
    need: { ...array(path), maxItems: 1000 },
    measure: flag,
  },
  ["name", "key", "measure"],
);

export function stageRoutes(app: FastifyInstance, gateway: Gateway, operations: StageOperations): void {
  jobRoute(
    app,
    gateway,
    "/seed/stage",
    body,
    async (request: StageRequest, watch: JobWatch<StageProgress>) => {
      const report = await operations.stage(request, watch);
      if (report.box !== null) {
        const { box, records, bytes } = report;
        gateway.logger.info({ box: box.number, records, bytes }, "box to restore from made");
      }
      return report;
    },
  );
}
