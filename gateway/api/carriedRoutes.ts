// What a box hands out to its datacentre: packs, as they are. The datacentre shows a token that only it can sign.

import type { FastifyInstance } from "fastify";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { BoxDocument } from "../../vault/seed/boxDocument.ts";
import { isImportToken } from "../../vault/seed/importToken.ts";
import type { Gateway } from "../gateway.ts";
import { sendPack } from "./packAnswer.ts";
import { binaryAnswer, longId, object, shortId } from "./schemas.ts";

export function carriedRoutes(app: FastifyInstance, gateway: Gateway, { id, datacentre }: BoxDocument): void {
  app.addHook("onRequest", async (request) => {
    const match = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(request.headers.authorization ?? "");
    request.isDatacentre = isImportToken(match?.[1] ?? "", id, datacentre.signer);
    if (request.isDatacentre) return;
    throw new HoldfastError(ErrorCode.tokenInvalid, "only this box's datacentre may read its packs");
  });
  app.get<{ Params: { vault: string; sha256: string } }>(
    "/v1/carried/:vault/packs/:sha256",
    {
      schema: { params: object({ vault: shortId, sha256: longId }), response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const vault = await gateway.vault(request.params.vault);
      return await sendPack(gateway, vault, fromHex(request.params.sha256, 32), request, reply);
    },
  );
}
