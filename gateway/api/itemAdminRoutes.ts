// The admin socket's routes about item definitions. Nothing of it is on the listener that devices reach.

import type { FastifyInstance } from "fastify";
import type { DefinitionRequest, ItemOperations } from "../admin/itemOperations.ts";
import type { RetentionScope } from "../admin/retentionOperations.ts";
import type { Gateway } from "../gateway.ts";
import { count, nullable, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const scope = { account: text, vault: text, device: text, item: text };
/** The operation checks what is in it. */
const definition = { type: ["object", "null"], additionalProperties: true } as const;

export function itemAdminRoutes(app: FastifyInstance, { logger }: Gateway, operations: ItemOperations): void {
  app.post<{ Body: RetentionScope }>(
    "/items/list",
    { schema: { body: object(scope, Object.keys(scope)) } },
    async (request) => await operations.list(request.body),
  );
  app.put<{ Body: DefinitionRequest }>(
    "/items/definition",
    { schema: { body: object({ account: text, device: text, item: text, revision: count, definition }) } },
    async (request, reply) => {
      const answer = await operations.set(request.body);
      logger.info(request.body, "item definition set");
      return await reply.type("application/json").send(JSON.stringify(answer));
    },
  );
  app.put<{ Body: { account: string; device: string; fleet: string | null } }>(
    "/items/fleet",
    { schema: { body: object({ account: text, device: text, fleet: nullable(text) }) } },
    async ({ body: { account, device, fleet } }) => {
      await operations.setFleet(account, device, fleet);
      logger.info({ account, device, fleet }, "fleet of a device set");
      return {};
    },
  );
}
