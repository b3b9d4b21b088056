// What there is: the gateway's state, accounts, devices, vaults.

import type { FastifyInstance } from "fastify";
import type { AdminOperations } from "../admin/operations.ts";
import { type accountsAnswer, type accountsSeenAnswer, statusAnswer } from "./adminAnswers.ts";
import { object } from "./schemas.ts";

const nothing = object({});
const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const accountQuery = object({ account: text }, ["account"]);

/** `accounts`: how much of each account is told. */
export function stateRoutes(
  app: FastifyInstance,
  operations: Pick<AdminOperations, "status" | "accounts" | "devices" | "vaults">,
  accounts: typeof accountsAnswer | typeof accountsSeenAnswer,
): void {
  app.get(
    "/status",
    { schema: { querystring: nothing, response: statusAnswer } },
    async () => await operations.status(),
  );
  app.get(
    "/accounts",
    { schema: { querystring: nothing, response: accounts } },
    async () => await operations.accounts(),
  );
  app.get<{ Querystring: { account?: string } }>(
    "/devices",
    { schema: { querystring: accountQuery } },
    async (request) => await operations.devices(request.query.account),
  );
  app.get<{ Querystring: { account?: string } }>(
    "/vaults",
    { schema: { querystring: accountQuery } },
    async (request) => await operations.vaults(request.query.account),
  );
}
