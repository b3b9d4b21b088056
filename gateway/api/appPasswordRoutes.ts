// The admin socket's routes about app passwords. Answers hold a new one's text: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { AdminOperations, NewAppPassword } from "../admin/operations.ts";
import type { Gateway } from "../gateway.ts";
import { appPasswordsAnswer, newAppPasswordAnswer } from "./adminAnswers.ts";
import { array, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const userNumber = { type: "integer", minimum: 0, maximum: 0xffff_fffe } as const;
const nothing = object({});

type ByAccount = { Params: { account: string } };

export function appPasswordRoutes(app: FastifyInstance, gateway: Gateway, operations: AdminOperations): void {
  const params = object({ account: text });
  app.get<ByAccount>(
    "/accounts/:account/app-passwords",
    { schema: { params, querystring: nothing, response: appPasswordsAnswer } },
    async (request) => await operations.appPasswords(request.params.account),
  );
  app.post<ByAccount & { Body: NewAppPassword }>(
    "/accounts/:account/app-passwords",
    {
      schema: {
        params,
        body: object(
          {
            label: { type: "string", maxLength: 200 },
            read: { type: "string", maxLength: 70_000 },
            asUser: object({
              uid: userNumber,
              gids: { ...array(userNumber), minItems: 1, maxItems: 65_536 },
            }),
            expiresIn: { type: "integer", minimum: 1 },
          },
          ["read", "asUser", "expiresIn"],
        ),
        response: newAppPasswordAnswer,
      },
    },
    async (request, reply) => {
      const { account } = request.params;
      const { password, ...row } = await operations.addAppPassword(account, request.body);
      gateway.logger.info({ account, id: row.id, label: row.label, read: row.read }, "app password added");
      void reply.status(201);
      return { ...row, password };
    },
  );
  app.delete<{ Params: { account: string; which: string } }>(
    "/accounts/:account/app-passwords/:which",
    { schema: { params: object({ account: text, which: text }) } },
    async (request) => {
      const { account, which } = request.params;
      const row = await operations.revokeAppPassword(account, which);
      gateway.logger.info({ account, id: row.id, label: row.label }, "app password revoked");
      return row;
    },
  );
}
