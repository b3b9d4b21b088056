// The admin socket's routes about invites. Bodies hold hashes of tokens and boxes of keys: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { InviteOperations, NewInvites } from "../admin/inviteOperations.ts";
import { openInvitesMax } from "../catalog/invites.ts";
import type { Gateway } from "../gateway.ts";
import { array, flag, longId, nullable, object, shortId } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const box = { type: "string", maxLength: 200 } as const;
const params = object({ account: text });

type ByAccount = { Params: { account: string } };

export function inviteAdminRoutes(
  app: FastifyInstance,
  { logger }: Gateway,
  operations: InviteOperations,
): void {
  app.get<{ Querystring: { account?: string } }>(
    "/invites",
    { schema: { querystring: object({ account: text }, ["account"]) } },
    async (request) => await operations.list(request.query.account),
  );
  app.get("/invites/place", { schema: { querystring: object({}) } }, async () => await operations.place());
  const boxes = {
    type: "object",
    maxProperties: 64,
    propertyNames: shortId,
    additionalProperties: object({
      epoch: { type: "integer", minimum: 1, maximum: 0xffff_ffff },
      box,
    }),
  };
  app.post<ByAccount & { Body: NewInvites }>(
    "/accounts/:account/invites",
    {
      schema: {
        params,
        body: object({
          invites: {
            ...array(object({ id: shortId, tokenHash: longId, boxes })),
            minItems: 1,
            maxItems: openInvitesMax,
          },
          expiresInSeconds: { type: "integer", minimum: 1 },
          ...{ isolated: flag, appendOnly: flag, device: nullable(text) },
          ...{ takeOver: nullable(shortId), fleet: nullable(text) },
        }),
      },
    },
    async (request, reply) => {
      const { account } = request.params;
      const made = await operations.add(account, request.body);
      logger.info({ account, count: made.invites.length, expires: made.expires }, "invites made");
      void reply.status(201);
      return made;
    },
  );
  app.post<ByAccount & { Body: { which: string | null } }>(
    "/accounts/:account/invites/revoke",
    {
      schema: {
        params,
        body: object({ which: nullable({ type: "string", pattern: "^[0-9a-f]{1,32}$" } as never) }),
      },
    },
    async (request) => {
      const { account } = request.params;
      const gone = await operations.revoke(account, request.body.which);
      logger.info({ account, invites: gone.map(({ id }) => id) }, "invites revoked");
      return gone;
    },
  );
}
