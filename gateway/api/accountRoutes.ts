// Routes about the account itself: who am I, its documents, its devices.

import type { FastifyInstance } from "fastify";
import type { DeviceRow, EnrollRequest, HomeAnswer, MeAnswer } from "../../ingest/wire/messages.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { enrollDevice } from "../enrollment.ts";
import type { Gateway } from "../gateway.ts";
import { takeOverDevice } from "../takeOver.ts";
import { actorOf, appenderOf, principalOf, requireLogin, vaultOf } from "./access.ts";
import {
  array,
  base64,
  deviceWraps,
  document,
  enrollAnswer,
  flag,
  group,
  name,
  nullable,
  object,
  shortId,
  time,
} from "./schemas.ts";

const vaultParams = object({ vault: shortId });

export function accountRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.get(
    "/v1/me",
    {
      schema: {
        response: {
          200: object(
            {
              accountId: shortId,
              account: name,
              device: object({ id: shortId, name, group }),
              vaults: array(object({ id: shortId, name })),
            },
            ["device"],
          ),
        },
      },
    },
    async (request): Promise<MeAnswer> => {
      const principal = principalOf(request);
      const { account } = principal;
      const vaults = gateway.catalog.vaults
        .list(account.id)
        .map((vault) => ({ id: vault.id, name: vault.name }));
      const me = { accountId: account.id, account: account.name, vaults };
      if (principal.kind === "login") return me;
      const { device } = principal;
      return { ...me, device: { id: device.id, name: device.name, group: device.group } };
    },
  );

  app.get(
    "/v1/home",
    { schema: { response: { 200: object({ record: nullable({ type: "string" }) }) } } },
    async (request): Promise<HomeAnswer> => ({
      record: gateway.homes.record(principalOf(request).account.id)?.toString() ?? null,
    }),
  );

  app.get<{ Params: { vault: string } }>(
    "/v1/vaults/:vault/document",
    { schema: { params: vaultParams, response: { 200: document } } },
    async (request) => (await vaultOf(gateway, request, request.params.vault)).document,
  );

  app.get<{ Params: { vault: string } }>(
    "/v1/vaults/:vault/keys",
    { schema: { params: vaultParams, response: { 200: document } } },
    async (request) => {
      const { keys } = await vaultOf(gateway, request, request.params.vault);
      const device = appenderOf(request);
      if (device === undefined) return keys;
      // The password's wrap is something to guess at. Who else can open the keys is to be seen by every device.
      const own = keys.wraps.filter(
        (wrap) => wrap.kind === "escrow" || (wrap.kind === "device" && wrap.device === device.id),
      );
      return { ...keys, wraps: own };
    },
  );

  app.post<{ Body: EnrollRequest }>(
    "/v1/devices",
    {
      bodyLimit: wireLimits.jsonBytes,
      schema: {
        body: object(
          {
            id: shortId,
            name: { type: "string", minLength: 1, maxLength: 200 },
            publicKey: base64(32),
            isolated: flag,
            appendOnly: flag,
            takeOver: flag,
            wraps: deviceWraps,
          },
          ["appendOnly", "takeOver"],
        ),
        response: { 201: enrollAnswer },
      },
    },
    async (request, reply) => {
      requireLogin(request);
      const { account } = principalOf(request);
      if (request.body.takeOver === true) {
        const taken = await takeOverDevice(gateway, account, request.body);
        await gateway.audit.record({
          event: "device.taken-over",
          outcome: "done",
          ...actorOf(request),
          subject: { device: gateway.catalog.devices.get(taken.id)?.name ?? null, id: taken.id },
        });
        request.log.info({ device: taken.id }, "device taken over");
        void reply.status(201);
        return taken;
      }
      gateway.homes.requireHere(account.id);
      const answer = await enrollDevice(gateway, account, request.body);
      await gateway.audit.record({
        event: "device.enrolled",
        outcome: "done",
        ...actorOf(request),
        subject: {
          ...{ device: request.body.name, id: answer.id, isolated: request.body.isolated },
          appendOnly: request.body.appendOnly === true,
        },
      });
      request.log.info({ device: answer.id, name: request.body.name }, "device enrolled");
      void reply.status(201);
      return answer;
    },
  );

  app.get(
    "/v1/devices",
    {
      schema: {
        response: {
          200: array(
            object({
              id: shortId,
              name,
              group,
              isolated: flag,
              revoked: flag,
              appendOnly: flag,
              enrolled: time,
            }),
          ),
        },
      },
    },
    async (request): Promise<DeviceRow[]> =>
      gateway.catalog.devices
        .list(principalOf(request).account.id)
        .map(({ id, name: deviceName, group: deviceGroup, isolated, revoked, appendOnly, enrolled }) => ({
          ...{ id, name: deviceName, group: deviceGroup, isolated, revoked, enrolled },
          appendOnly: appendOnly === true,
        })),
  );
}
