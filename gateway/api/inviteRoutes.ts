// Routes for who has an invite: its token opens these two and nothing else.

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ClaimRequest, InvitedEnrollRequest } from "../../ingest/wire/messages.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { requireAddress } from "../auth/accountAddresses.ts";
import { refuseDisabled } from "../auth/authenticator.ts";
import { tokenHash } from "../auth/tokens.ts";
import type { Gateway } from "../gateway.ts";
import { claimInvite, enrollInvited, type Invited } from "../invitation.ts";
import { bearerToken } from "./access.ts";
import {
  array,
  base64,
  deviceWraps,
  document,
  enrollAnswer,
  flag,
  name,
  nullable,
  object,
  shortId,
} from "./schemas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set on the invites' routes before any handler runs. */
    invited: Invited | undefined;
  }
}

/** @throws HoldfastError token-invalid, account-disabled, forbidden */
function authenticate({ catalog }: Gateway, request: FastifyRequest): Invited {
  const hash = tokenHash(bearerToken(request));
  const row = catalog.invites.byToken(hash);
  const account = row === undefined ? undefined : catalog.accounts.get(row.account);
  if (account === undefined) {
    throw new HoldfastError(ErrorCode.tokenInvalid, "there is no such invite", {
      next: "Ask whoever made it for a new one: holdfast account invite.",
    });
  }
  refuseDisabled(account);
  requireAddress(account, request.from);
  return { account, tokenHash: hash };
}

/** Who asks, where its device is to be at home. @throws HoldfastError not-home */
function requireHome({ catalog, homes }: Gateway, { invited }: FastifyRequest): Invited {
  if (invited === undefined) throw new Error("a handler ran without authentication");
  homes.requireHere(invited.account.id, catalog.invites.byToken(invited.tokenHash)?.takeOver);
  return invited;
}

/** Nothing but ids and keys is in it. */
const claimBytesMax = 4096;

export function inviteRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.decorateRequest("invited", undefined);
  app.addHook("onRequest", async (request) => {
    request.invited = authenticate(gateway, request);
  });

  app.post<{ Body: ClaimRequest }>(
    "/v1/invites/claim",
    {
      bodyLimit: claimBytesMax,
      schema: {
        body: object({ device: shortId, publicKey: base64(32), claim: base64(32) }),
        response: {
          200: object({
            account: name,
            ...{ isolated: flag, appendOnly: flag, enrolled: flag, device: nullable(name) },
            takeOver: nullable(shortId),
            vaults: array(object({ id: shortId, box: { type: "string" }, keys: document })),
          }),
        },
      },
    },
    async (request) => {
      const invited = requireHome(gateway, request);
      const answer = await claimInvite(gateway, invited, request.body);
      const { id } = gateway.catalog.invites.byToken(invited.tokenHash)!;
      const { account } = answer;
      await gateway.audit.record({
        event: "invite.claimed",
        outcome: "done",
        actor: { kind: "invite", account, id },
        address: request.from,
        subject: { account, id: request.body.device, enrolled: answer.enrolled },
      });
      request.log.info({ account, invite: id, device: request.body.device }, "invite claimed");
      return answer;
    },
  );

  app.post<{ Body: InvitedEnrollRequest }>(
    "/v1/invites/enroll",
    {
      bodyLimit: wireLimits.jsonBytes,
      schema: {
        body: object({
          name: { type: "string", minLength: 1, maxLength: 200 },
          claim: base64(32),
          wraps: deviceWraps,
        }),
        response: { 201: enrollAnswer },
      },
    },
    async (request, reply) => {
      const invited = requireHome(gateway, request);
      const { answer, row, again } = await enrollInvited(gateway, invited, request.body);
      const device = gateway.catalog.devices.get(answer.id)?.name ?? request.body.name;
      const { isolated, appendOnly } = row;
      await gateway.audit.record({
        event: row.takeOver === undefined ? "device.enrolled" : "device.taken-over",
        outcome: "done",
        actor: { kind: "invite", account: invited.account.name, id: row.id },
        address: request.from,
        subject: { device, id: answer.id, isolated, appendOnly, again },
      });
      gateway.authenticator.noteSource(invited.account.id, request.from);
      request.log.info({ device: answer.id, name: device, invite: row.id, again }, "device enrolled");
      void reply.status(201);
      return answer;
    },
  );
}
