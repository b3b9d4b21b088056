// Alerts over the admin socket.

import type { FastifyInstance } from "fastify";
import type { AlertOperations, ExpectRequest } from "../admin/alertOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { jobRoute } from "./jobRoute.ts";
import { count, flag, object } from "./schemas.ts";

const name = { type: "string", minLength: 1, maxLength: 200 } as const;

export function alertRoutes(app: FastifyInstance, gateway: Gateway, operations: AlertOperations): void {
  app.get<{ Querystring: { all: boolean } }>(
    "/alerts",
    { schema: { querystring: object({ all: flag }) } },
    async (request) => await operations.list(request.query.all),
  );
  app.post<{ Body: { id: number; note: string } }>(
    "/alerts/acknowledge",
    { schema: { body: object({ id: count, note: { type: "string", maxLength: 200 } }) } },
    async (request) => await operations.acknowledge(request.body.id, request.body.note),
  );
  jobRoute(app, gateway, "/alerts/test", object({}), (_body: object, watch: JobWatch<never>) =>
    operations.test(watch),
  );
  const everySeconds = { anyOf: [{ const: "learn" }, { type: "null" }, { ...count, minimum: 1 }] };
  app.put<{ Body: ExpectRequest }>(
    "/alerts/expect",
    { schema: { body: object({ account: name, device: name, item: name, everySeconds }) } },
    async (request) => {
      await operations.expect(request.body);
      gateway.logger.info(request.body, "expectation set");
      return {};
    },
  );
}
