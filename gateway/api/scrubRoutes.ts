// Looking for damage over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type { ScrubOperations, ScrubRequest } from "../admin/scrubOperations.ts";
import type { CheckRequest, DrillRequest, UpkeepOperations } from "../admin/upkeepOperations.ts";
import type { Gateway } from "../gateway.ts";
import type { CheckProgress } from "../maintenance/check/checkTypes.ts";
import type { ScrubProgress } from "../maintenance/scrub.ts";
import { statusRowsMax } from "../maintenance/scrubStatus.ts";
import { type DrillProgress, drillFilesMax } from "../maintenance/vaultContent.ts";
import { jobRoute } from "./jobRoute.ts";
import { count, flag, object, shortId } from "./schemas.ts";

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
  app.get("/drills", { schema: { querystring: object({}) } }, async () => await operations.drills());
  const seed = { type: "string", pattern: "^[0-9a-f]{1,64}$" };
  const files = { type: "integer", minimum: 1, maximum: drillFilesMax };
  jobRoute(
    app,
    gateway,
    "/drill",
    object({ vault: shortId, files, bytes: count, seed }, ["vault"]),
    (body: DrillRequest, watch: JobWatch<DrillProgress>) => operations.drill(body, watch),
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
