// Scrubbing over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type { ScrubOperations, ScrubRequest } from "../admin/scrubOperations.ts";
import type { Gateway } from "../gateway.ts";
import type { ScrubProgress } from "../maintenance/scrub.ts";
import { jobRoute } from "./jobRoute.ts";
import { flag, object } from "./schemas.ts";

export function scrubRoute(app: FastifyInstance, gateway: Gateway, operations: ScrubOperations): void {
  jobRoute(
    app,
    gateway,
    "/scrub",
    object({ heal: flag, fromStart: flag, limit: { type: "string", maxLength: 1000 } }),
    (body: ScrubRequest, watch: JobWatch<ScrubProgress>) => operations.scrub(body, watch),
  );
}
