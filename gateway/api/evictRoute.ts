// Evicting over the admin socket.

import type { FastifyInstance } from "fastify";
import type { EvictOperations, EvictProgress, EvictRequest } from "../admin/evictOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import { jobRoute } from "./jobRoute.ts";
import { count, flag, object } from "./schemas.ts";

export function evictRoute(app: FastifyInstance, operations: EvictOperations): void {
  jobRoute(
    app,
    "/evict",
    object({ keepBytes: count, dryRun: flag }),
    (body: EvictRequest, watch: JobWatch<EvictProgress>) => operations.evict(body, watch),
  );
}
