// Alerts over the admin socket.

import type { FastifyInstance } from "fastify";
import type { AlertOperations } from "../admin/alertOperations.ts";
import { count, flag, object } from "./schemas.ts";

export function alertRoutes(app: FastifyInstance, operations: AlertOperations): void {
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
}
