// The admin socket's routes about codes besides the password. Answers hold a new secret: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { TotpOperations } from "../admin/totpOperations.ts";
import type { Gateway } from "../gateway.ts";
import { object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const path = "/accounts/:account/totp";

type ByAccount = { Params: { account: string } };

export function totpRoutes(app: FastifyInstance, { logger }: Gateway, operations: TotpOperations): void {
  const params = object({ account: text });
  app.get<ByAccount>(
    path,
    { schema: { params, querystring: object({}) } },
    async ({ params: { account } }) => await operations.status(account),
  );
  app.post<ByAccount>(
    path,
    { schema: { params, body: object({}) } },
    async ({ params: { account } }, reply) => {
      const made = await operations.begin(account);
      void reply.status(201);
      return made;
    },
  );
  app.put<ByAccount & { Body: { code: string } }>(
    path,
    { schema: { params, body: object({ code: text }) } },
    async ({ params: { account }, body }) => {
      await operations.confirm(account, body.code);
      logger.info({ account }, "account asks for codes");
      return {};
    },
  );
  app.delete<ByAccount>(path, { schema: { params } }, async ({ params: { account } }) => {
    const status = await operations.disable(account);
    logger.info({ account }, "account asks for no codes any more");
    return status;
  });
}
