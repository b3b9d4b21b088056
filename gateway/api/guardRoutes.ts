// The admin socket's routes about the guard. Nothing of it is on the listener that devices reach.

import type { FastifyInstance } from "fastify";
import {
  type GuardOperations,
  type GuardSettingsRequest,
  guardWords,
  type HeldRequest,
} from "../admin/guardOperations.ts";
import type { RetentionScope } from "../admin/retentionOperations.ts";
import type { Gateway } from "../gateway.ts";
import { guardRules } from "../guard/thresholds.ts";
import { flag, nullable, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const scope = { account: text, vault: text, device: text, item: text };
const percentage = nullable({ type: "number" });
const settings = object({
  off: nullable(flag),
  ...Object.fromEntries(guardRules.map((rule) => [rule, percentage])),
});

export function guardRoutes(app: FastifyInstance, { logger }: Gateway, operations: GuardOperations): void {
  app.post<{ Body: RetentionScope & { all: boolean } }>(
    "/guard/status",
    { schema: { body: object({ ...scope, all: flag }, ["account", "vault", "device", "item"]) } },
    async ({ body: { all, ...asked } }) => await operations.status(asked, all),
  );
  for (const word of guardWords) {
    app.post<{ Body: HeldRequest }>(
      `/guard/${word}`,
      { schema: { body: object(scope, ["device", "item"]) } },
      async (request) => {
        const answers = await operations.settle(word, request.body);
        logger.info({ word, items: answers.map(({ device, item }) => `${device}/${item}`) }, "guard settled");
        return answers;
      },
    );
  }
  app.put<{ Body: GuardSettingsRequest }>(
    "/guard/settings",
    { schema: { body: object({ ...scope, settings: nullable(settings) }, ["device", "item"]) } },
    async (request) => {
      await operations.set(request.body);
      logger.info(request.body, "guard settings set");
      return {};
    },
  );
}
