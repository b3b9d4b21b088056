// The admin socket's routes about how long snapshots stay. Nothing of it is on the listener that devices reach.

import type { FastifyInstance } from "fastify";
import type {
  MarkRequest,
  PolicyRequest,
  PruneRequest,
  RetentionOperations,
  RetentionScope,
} from "../admin/retentionOperations.ts";
import type { Gateway } from "../gateway.ts";
import { retentionLimits } from "../maintenance/retention/policy.ts";
import { array, count, flag, nullable, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const reason = { type: "string", maxLength: retentionLimits.reasonCharactersMax } as const;
const scope = { account: text, vault: text, device: text, item: text };
const inScope = ["account", "vault", "device", "item"];
const ids = { ...array(text), minItems: 1, maxItems: 10_000 };
const tags = { ...array(text), maxItems: retentionLimits.tagsMax };
const policy = object({
  ...{ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count },
  ...{ withinSeconds: count, trashSeconds: count, tags, timeZone: text },
});

export function retentionRoutes(
  app: FastifyInstance,
  { logger }: Gateway,
  operations: RetentionOperations,
): void {
  app.post<{ Body: RetentionScope }>(
    "/retention/policies",
    { schema: { body: object(scope, inScope) } },
    async (request) => await operations.policies(request.body),
  );
  app.put<{ Body: PolicyRequest }>(
    "/retention/policy",
    { schema: { body: object({ ...scope, policy: nullable(policy) }, ["device", "item"]) } },
    async (request) => {
      await operations.setPolicy(request.body);
      logger.info(request.body, "retention policy set");
      return {};
    },
  );
  app.post<{ Body: PruneRequest }>(
    "/retention/prune",
    { schema: { body: object({ ...scope, dryRun: flag }, inScope) } },
    async (request) => {
      const result = await operations.prune(request.body);
      const { dryRun, kept, trashed, held } = result;
      if (!dryRun) logger.info({ kept, trashed, held }, "snapshots pruned");
      return result;
    },
  );
  app.post<{ Body: RetentionScope & { trash: boolean } }>(
    "/retention/snapshots",
    { schema: { body: object({ ...scope, trash: flag }, inScope) } },
    async (request) => {
      const { trash, ...asked } = request.body;
      return await operations.snapshots(asked, trash);
    },
  );
  app.post<{ Body: MarkRequest }>(
    "/retention/marks",
    {
      schema: {
        body: object({ snapshots: ids, pin: nullable(reason), addTags: tags, removeTags: tags }, ["pin"]),
      },
    },
    async (request) => {
      const changed = await operations.mark(request.body);
      logger.info({ ...request.body, snapshots: changed.map(({ id }) => id) }, "snapshots marked");
      return changed;
    },
  );
  app.post<{ Body: { snapshots: string[]; reason: string } }>(
    "/retention/remove",
    { schema: { body: object({ snapshots: ids, reason }) } },
    async ({ body }) => {
      const gone = await operations.remove(body.snapshots, body.reason);
      logger.info(
        { snapshots: gone.map(({ id }) => id), reason: body.reason },
        "snapshots moved to the trash",
      );
      return gone;
    },
  );
  app.post<{ Body: { snapshots: string[] | null } }>(
    "/retention/undelete",
    { schema: { body: object({ snapshots: nullable(ids) }) } },
    async (request) => {
      const back = await operations.undelete(request.body.snapshots);
      logger.info({ snapshots: back.map(({ id }) => id) }, "snapshots taken out of the trash");
      return back;
    },
  );
}
