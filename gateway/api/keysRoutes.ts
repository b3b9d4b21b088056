// The admin socket's routes about new keys of vaults. Bodies may hold secrets: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { KeysOperations, NewKeys } from "../admin/keysOperations.ts";
import type { Gateway } from "../gateway.ts";
import { base64, document, object, secrets, shortId } from "./schemas.ts";

type ByVault = { Params: { vault: string } };

const newKeys = { keysDocument: document, secrets: object(secrets) };

export function keysRoutes(app: FastifyInstance, { logger }: Gateway, operations: KeysOperations): void {
  const params = object({ vault: shortId });
  app.post<ByVault & { Body: NewKeys }>(
    "/vaults/:vault/keys/rotate",
    { schema: { params, body: object(newKeys, ["secrets"]) } },
    async ({ params: { vault }, body }) => {
      const rotated = await operations.rotate(vault, body);
      logger.info({ vault, ...rotated }, "keys rotated");
      return rotated;
    },
  );
  app.post<ByVault & { Body: { keysDocument: unknown } }>(
    "/vaults/:vault/keys/escrows",
    { schema: { params, body: object({ keysDocument: document }) } },
    async ({ params: { vault }, body }, reply) => {
      const added = await operations.addEscrow(vault, body.keysDocument);
      logger.info({ vault, ...added }, "escrow key added");
      void reply.status(201);
      return added;
    },
  );
  app.post<ByVault & { Body: NewKeys & { public: string } }>(
    "/vaults/:vault/keys/escrows/remove",
    { schema: { params, body: object({ ...newKeys, public: base64(32) }, ["secrets"]) } },
    async ({ params: { vault }, body: { public: publicKey, ...body } }) => {
      const rotated = await operations.removeEscrow(vault, publicKey, body);
      logger.info({ vault, public: publicKey, ...rotated }, "escrow key removed, keys rotated");
      return rotated;
    },
  );
}
