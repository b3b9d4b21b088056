// The audit log over the admin socket.

import type { FastifyInstance } from "fastify";
import type { AuditOperations, AuditVerifyRequest } from "../admin/auditOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { AuditQuery, VerifyProgress } from "../audit/readLog.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { array, count, longId, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
/** Entries of one answer. */
export const auditPageMax = 1000;

const auditQuery = object(
  {
    after: count,
    sinceMs: count,
    event: text,
    limit: { type: "integer", minimum: 1, maximum: auditPageMax },
  },
  ["sinceMs", "event"],
);

export function auditRoutes(app: FastifyInstance, gateway: Gateway, operations: AuditOperations): void {
  app.post<{ Body: AuditQuery }>(
    "/audit/list",
    { schema: { body: auditQuery } },
    async (request) => await operations.list(request.body),
  );
  const head = object({ sequence: { ...count, minimum: 1 }, hash: longId, by: text });
  jobRoute(
    app,
    gateway,
    "/audit/verify",
    object({ heads: { ...array(head), maxItems: 100 } }),
    (body: AuditVerifyRequest, watch: JobWatch<VerifyProgress>) => operations.verify(body, watch),
  );
}
