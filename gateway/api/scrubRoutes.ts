// Looking for damage over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type { ScrubOperations, ScrubRequest } from "../admin/scrubOperations.ts";
import type { CheckRequest, UpkeepOperations } from "../admin/upkeepOperations.ts";
import type { Gateway } from "../gateway.ts";
import type { CheckProgress } from "../maintenance/check/checkTypes.ts";
import type { ScrubProgress } from "../maintenance/scrub.ts";
import { statusRowsMax } from "../maintenance/scrubStatus.ts";
import { jobRoute } from "./jobRoute.ts";
import { flag, object, shortId } from "./schemas.ts";

const limit = { type: "string", maxLength: 1000 } as const;

export function scrubRoutes(
  app: FastifyInstance,
  gateway: Gateway,
  operations: ScrubOperations & UpkeepOperations,
): void {
  app.get<{ Querystring: { rows: number } }>(
    "/scrub",
    { schema: { querystring: object({ rows: { type: "integer", minimum: 0, maximum: statusRowsMax } }) } },
    async (request) => await operations.scrubStatus(request.query.rows),
  );
  const readShare = { type: "number", minimum: 0, maximum: 1 };
  jobRoute(
    app,
    gateway,
    "/check",
    object({ vault: shortId, readShare, limit }, ["vault"]),
    (body: CheckRequest, watch: JobWatch<CheckProgress>) => operations.check(body, watch),
  );
  jobRoute(
    app,
    gateway,
    "/scrub",
    object({ heal: flag, fromStart: flag, limit }),
    (body: ScrubRequest, watch: JobWatch<ScrubProgress>) => operations.scrub(body, watch),
  );
}
