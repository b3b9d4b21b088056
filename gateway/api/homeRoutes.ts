// The admin socket's routes about homes of accounts.

import type { FastifyInstance } from "fastify";
import type { HomeOperations, MoveRequest } from "../admin/homeOperations.ts";
import type { Gateway } from "../gateway.ts";
import { array, flag, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const place = {
  ...object({ url: { type: "string", maxLength: 300 }, fingerprint: text }),
  type: ["object", "null"],
};

export function homeRoutes(app: FastifyInstance, gateway: Gateway, operations: HomeOperations): void {
  app.get<{ Querystring: { account?: string } }>(
    "/homes",
    { schema: { querystring: object({ account: text }, ["account"]) } },
    async (request) => await operations.show(request.query.account),
  );
  const body = object({ account: text, devices: array(text), to: place, force: flag });
  app.post<{ Body: MoveRequest }>(
    "/homes/plan",
    { schema: { body } },
    async (request) => await operations.plan(request.body),
  );
  app.post<{ Body: MoveRequest }>("/homes/move", { schema: { body } }, async (request) => {
    const answer = await operations.move(request.body);
    const { account, generation, home } = answer;
    gateway.logger.info(
      { account, generation, home: home.name, devices: request.body.devices },
      "home moved",
    );
    return answer;
  });
  app.post<{ Body: { account: string } }>(
    "/homes/undo",
    { schema: { body: object({ account: text }) } },
    async (request) => {
      const answer = await operations.undo(request.body.account);
      gateway.logger.info(
        { account: answer.account, generation: answer.generation },
        "move of a home undone",
      );
      return answer;
    },
  );
}
