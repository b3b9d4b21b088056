// Garbage collection over the admin socket.

import type { FastifyInstance } from "fastify";
import type { GcOperations, GcRequest } from "../admin/gcOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import type { GcProgress } from "../maintenance/gc/collection.ts";
import { jobRoute } from "./jobRoute.ts";
import { count, flag, nullable, object } from "./schemas.ts";

export function gcRoutes(app: FastifyInstance, gateway: Gateway, operations: GcOperations): void {
  jobRoute(
    app,
    gateway,
    "/gc",
    object(
      {
        account: { type: "string", minLength: 1, maxLength: 200 },
        ...{ dryRun: flag, evicted: flag, budgetBytes: nullable(count), forSeconds: nullable(count) },
      },
      ["account"],
    ),
    (body: GcRequest, watch: JobWatch<GcProgress>) => operations.gc(body, watch),
  );
  app.post("/gc/stop", { schema: { body: object({}) } }, async () => ({ ran: await operations.stopGc() }));
}
