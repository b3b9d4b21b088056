// Routes that need no token: is it alive, which protocols, and logging in.

import type { FastifyInstance } from "fastify";
import type { DirectoryAnswer, LoginAnswer, LoginRequest } from "../../ingest/wire/messages.ts";
import { protocolVersions } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { noteLogin } from "../audit/noteLogin.ts";
import type { Gateway } from "../gateway.ts";
import { notReady, Readiness } from "../health/readiness.ts";
import { array, base64, count, longId, object, shortId } from "./schemas.ts";

const anyName = { type: "string", minLength: 1, maxLength: 200 } as const;

/** Nobody is known yet when this body is read. */
const loginBytesMax = 4096;

export function publicRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { authenticator } = gateway;

  app.get(
    "/healthz",
    { schema: { response: { 200: object({ ok: { type: "boolean" } }) } }, logLevel: "warn" },
    async () => ({ ok: true }),
  );

  const readiness = new Readiness(gateway, gateway.monotonicMs);
  const readyAnswer = object({
    ready: { type: "boolean" },
    reasons: array({ type: "string", enum: notReady }),
  });
  app.get(
    "/readyz",
    { schema: { response: { 200: readyAnswer, 503: readyAnswer } }, logLevel: "warn" },
    async (_request, reply) => {
      const reasons = await readiness.reasons();
      const ready = reasons.length === 0;
      void reply.status(ready ? 200 : 503);
      return { ready, reasons };
    },
  );

  app.get(
    "/v1/hello",
    {
      schema: {
        response: {
          200: object({
            id: shortId,
            name: { type: "string" },
            version: { type: "string" },
            protocols: array({ type: "integer" }),
          }),
        },
      },
    },
    async () => ({
      id: gateway.dataDir.identity.id,
      name: gateway.dataDir.settings.name,
      version: gateway.version,
      protocols: protocolVersions,
    }),
  );

  app.get(
    "/v1/directory",
    {
      schema: {
        response: {
          200: object({
            id: shortId,
            urls: array({ type: "string" }),
            fingerprint: { type: "string" },
            signer: longId,
          }),
        },
      },
    },
    async (): Promise<DirectoryAnswer> => gateway.homes.directory(),
  );

  app.get<{ Params: { name: string } }>(
    "/v1/accounts/:name/kdf",
    {
      schema: {
        params: object({ name: anyName }),
        response: {
          200: object({
            suite: { type: "integer" },
            iterations: { type: "integer" },
            salt: { type: "string" },
          }),
        },
      },
    },
    async (request) => authenticator.kdf(request.params.name),
  );

  app.post<{ Body: LoginRequest }>(
    "/v1/login",
    {
      bodyLimit: loginBytesMax,
      schema: {
        body: object({ account: anyName, l: base64(24), code: { type: "string", maxLength: 64 } }, ["code"]),
        response: {
          200: object({ token: { type: "string" }, accountId: shortId, expiresInSeconds: count }),
        },
      },
    },
    async (request): Promise<LoginAnswer> => {
      const l = Buffer.from(request.body.l, "base64");
      if (l.length !== 24) throw new HoldfastError(ErrorCode.usage, "l is not the base64 of 24 bytes");
      const { token, account, expiresInSeconds } = await noteLogin(
        gateway.audit,
        request.body.account,
        request.from,
        () => authenticator.login(request.body.account, l, request.from, request.body.code),
      );
      return { token, accountId: account.id, expiresInSeconds };
    },
  );
}
