// Evicting over the admin socket.

import type { FastifyInstance } from "fastify";
import type { EvictOperations, EvictProgress, EvictRequest } from "../admin/evictOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { count, flag, object } from "./schemas.ts";

export function evictRoute(app: FastifyInstance, gateway: Gateway, operations: EvictOperations): void {
  jobRoute(
    app,
    gateway,
    "/evict",
    object({ keepBytes: count, dryRun: flag }),
    (body: EvictRequest, watch: JobWatch<EvictProgress>) => operations.evict(body, watch),
  );
}
