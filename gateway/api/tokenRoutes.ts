// The admin socket's routes about access tokens. Answers hold a new one's text: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { NewAccessToken, TokenOperations } from "../admin/tokenOperations.ts";
import { tokenRoles, tokenScopes } from "../catalog/accessTokens.ts";
import type { Gateway } from "../gateway.ts";
import { array, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;

export function tokenRoutes(app: FastifyInstance, { logger }: Gateway, operations: TokenOperations): void {
  app.get("/tokens", { schema: { querystring: object({}) } }, async () => await operations.list());
  app.post<{ Body: NewAccessToken }>(
    "/tokens",
    {
      schema: {
        body: object({
          role: { enum: [...tokenRoles] },
          label: { type: "string", maxLength: 200 },
          scopes: { ...array({ enum: [...tokenScopes] }), maxItems: 100 },
          expiresInSeconds: { type: "integer", minimum: 1 },
        }),
      },
    },
    async (request, reply) => {
      const { token, ...row } = await operations.create(request.body);
      logger.info(row, "access token made");
      void reply.status(201);
      return { ...row, token };
    },
  );
  app.delete<{ Params: { which: string } }>(
    "/tokens/:which",
    { schema: { params: object({ which: text }) } },
    async (request) => {
      const row = await operations.revoke(request.params.which);
      logger.info(row, "access token revoked");
      return row;
    },
  );
}
