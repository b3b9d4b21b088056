// The admin socket's routes about removed accounts.

import type { FastifyInstance } from "fastify";
import type { RemovalOperations } from "../admin/removalOperations.ts";
import { object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;

export function removalRoutes(app: FastifyInstance, operations: RemovalOperations): void {
  const schema = { params: object({ account: text }) };
  app.get<{ Params: { account: string } }>(
    "/accounts/:account/removal",
    { schema },
    async ({ params: { account } }) => await operations.plan(account),
  );
  app.delete<{ Params: { account: string } }>(
    "/accounts/:account",
    { schema },
    async ({ params: { account } }) => await operations.remove(account),
  );
  app.get("/removals", { schema: { querystring: object({}) } }, async () => await operations.list());
}
