// Routes that hand out what is stored: records by id, whole packs, presence, and the report of wrong records.

import type { FastifyInstance } from "fastify";
import { parseGroupIds } from "../../ingest/wire/idList.ts";
import type { SuspectAnswer, SuspectRequest } from "../../ingest/wire/messages.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import type { Gateway } from "../gateway.ts";
import { actorOf, deviceOf, vaultOf } from "./access.ts";
import { bytesOf } from "./binaryBody.ts";
import { closedSignal } from "./closedSignal.ts";
import { sendPack } from "./packAnswer.ts";
import { type ReadSlots, sendRecords } from "./recordStream.ts";
import { array, binaryAnswer, count, group, longId, name, nullable, object, shortId } from "./schemas.ts";

type VaultParams = { Params: { vault: string } };
const vaultParams = object({ vault: shortId });

export function readRoutes(app: FastifyInstance, gateway: Gateway, slots: ReadSlots): void {
  app.post<VaultParams & { Body: Buffer }>(
    "/v1/vaults/:vault/read",
    {
      bodyLimit: 4 + wireLimits.idsPerRead * 32,
      schema: { params: vaultParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      const asked = parseGroupIds(bytesOf(request.body), wireLimits.idsPerRead);
      gateway.audit.reads.read({ ...actorOf(request), records: asked.ids.length / Width.id });
      const signal = closedSignal(request.raw, reply.raw);
      await slots.take(signal);
      try {
        reply.hijack();
        const about = (index: number): Record<string, unknown> =>
          vault.about(asked.group, asked.ids.subarray(index * Width.id, (index + 1) * Width.id));
        const records = vault.read(asked.group, asked.ids);
        await sendRecords({ response: reply.raw, records, about, log: request.log, signal });
      } finally {
        slots.free();
      }
    },
  );

  app.post<VaultParams & { Body: Buffer }>(
    "/v1/vaults/:vault/exists",
    {
      bodyLimit: 4 + wireLimits.haveBytes,
      schema: { params: vaultParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      const asked = parseGroupIds(bytesOf(request.body), wireLimits.idsPerHave);
      return reply.type(octetStream).send(vault.present(asked.group, asked.ids));
    },
  );

  app.get<{ Params: { vault: string; sha256: string } }>(
    "/v1/vaults/:vault/packs/:sha256",
    { schema: { params: object({ vault: shortId, sha256: longId }), response: binaryAnswer } },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      gateway.audit.reads.read({ ...actorOf(request), packs: 1 });
      return await sendPack(gateway, vault, fromHex(request.params.sha256, 32), request, reply);
    },
  );

  app.post<VaultParams & { Body: SuspectRequest }>(
    "/v1/vaults/:vault/suspect",
    {
      schema: {
        params: vaultParams,
        body: object({ group, ids: { ...array(longId), maxItems: wireLimits.idsPerSuspect } }),
        response: { 200: object({ quarantined: count, writers: array(nullable(object({ device: name }))) }) },
      },
    },
    async (request): Promise<SuspectAnswer> => {
      const device = deviceOf(request);
      const vault = await vaultOf(gateway, request, request.params.vault);
      // A device speaks for its own group only: it must not make another group's records disappear.
      if (request.body.group !== device.group)
        throw new HoldfastError(ErrorCode.forbidden, "not this device's group");
      const ids = request.body.ids.map((id) => fromHex(id, 32));
      const answer = await vault.quarantine(device.group, ids, device.id);
      if (answer.quarantined > 0) {
        gateway.audit.note({
          event: "record.quarantined",
          outcome: "done",
          ...actorOf(request),
          subject: { vault: vault.id, records: answer.quarantined },
        });
      }
      return answer;
    },
  );
}
