// Routes about jobs that run and ran.

import type { FastifyInstance } from "fastify";
import type { JobOperations } from "../admin/jobOperations.ts";
import { jobKinds } from "../jobs/jobRows.ts";
import type { JobFilter } from "../jobs/jobs.ts";
import { count, flag, object } from "./schemas.ts";

const filter = object(
  {
    kind: { type: "string", enum: jobKinds },
    failed: flag,
    running: flag,
    sinceMs: count,
    limit: { type: "integer", minimum: 1, maximum: 1_000_000 },
  },
  ["kind", "running", "sinceMs"],
);

export function jobHistoryRoutes(app: FastifyInstance, operations: JobOperations): void {
  app.post<{ Body: JobFilter }>(
    "/jobs/list",
    { schema: { body: filter } },
    async (request) => await operations.list(request.body),
  );
  app.get<{ Params: { id: number } }>(
    "/jobs/:id",
    { schema: { params: object({ id: count }) } },
    async (request) => await operations.get(request.params.id),
  );
  app.get<{ Params: { id: number }; Querystring: { after: number } }>(
    "/jobs/:id/log",
    { schema: { params: object({ id: count }), querystring: object({ after: count }) } },
    async (request) => await operations.log(request.params.id, request.query.after),
  );
  app.post<{ Params: { id: number }; Body: object }>(
    "/jobs/:id/cancel",
    { schema: { params: object({ id: count }), body: object({}) } },
    async (request) => await operations.cancel(request.params.id),
  );
}
