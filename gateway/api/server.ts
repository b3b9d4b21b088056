// The HTTPS listener: fastify with the routes of docs/protocol.md, limits on connections and time, and an OpenAPI description.

import type { RequestListener } from "node:http";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { WebFront } from "../../fs/view/webPort.ts";
import { SlabPool } from "../../ingest/session/slabPool.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { parseListen } from "../settings.ts";
import type { ReadOptions } from "../store/packReader.ts";
import { authenticate, checkProtocol } from "./access.ts";
import { accountRoutes } from "./accountRoutes.ts";
import { refuseReading } from "./appendOnly.ts";
import { carriedRoutes } from "./carriedRoutes.ts";
import { answerErrors } from "./errorAnswer.ts";
import { peerRoutes } from "./peerRoutes.ts";
import { publicRoutes } from "./publicRoutes.ts";
import { readRoutes } from "./readRoutes.ts";
import { asksForChannel, recordChannelRoute } from "./recordChannelRoute.ts";
import { ReadSlots } from "./recordStream.ts";
import { seedRoutes } from "./seedRoutes.ts";
import { recordsRoute, sessionRoutes } from "./sessionRoutes.ts";
import { snapshotRoutes } from "./snapshotRoutes.ts";
import { treeAddress, treeRoutes } from "./treeRoutes.ts";
import { answerWeb, isForWeb } from "./webRequests.ts";

const MiB = 2 ** 20;

export const serverLimits = {
  connections: 512,
  headersMs: 15_000,
  /** A socket on which nothing moves for so long is closed; above the wait of `GET /v1/events`. */
  idleMs: 60_000,
  /** A whole request, body included. */
  requestMs: 20 * 60_000,
  keepAliveMs: 75_000,
  slabBytes: 8 * MiB,
  /** Memory for bodies of all uploads together. */
  uploadBytes: 96 * MiB,
} as const;

/** Of every connection; certificate and key come besides. */
export const tlsOptions = {
  minVersion: "TLSv1.2",
  ALPNProtocols: ["http/1.1"],
  honorCipherOrder: true,
  // AES-128 first: as good here, and a good part of the gateway's processor time is TLS.
  ciphers:
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:" +
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
} as const;

export type Listening = {
  readonly app: FastifyInstance;
  /** https://HOST:PORT */
  readonly url: string;
  readonly port: number;
};

/** Builds the app without listening. With a front, it serves WebDAV, archives and histories too. */
export async function buildApp(
  gateway: Gateway,
  front?: WebFront,
  readNow?: ReadOptions["readNow"],
): Promise<FastifyInstance> {
  const app = fastify({
    serverFactory: (framework) => serverOf(gateway, front, framework),
    loggerInstance: gateway.logger.child(
      {},
      {
        // Only these facts of a request are logged: no headers, no bodies.
        serializers: {
          req: (request: { method: string; url: string; ip?: string }) => ({
            method: request.method,
            path: request.url.split("?")[0],
            from: request.ip,
          }),
          res: (reply: { statusCode: number }) => ({ status: reply.statusCode }),
        },
      },
    ),
    bodyLimit: wireLimits.jsonBytes,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false } },
    routerOptions: { maxParamLength: 512 },
    rewriteUrl: ({ url = "/" }) => (front === undefined ? url : treeAddress(url)),
  }) as unknown as FastifyInstance;
  answerErrors(app);
  app.decorateRequest("principal", undefined);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Holdfast gateway", version: gateway.version },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer" },
          appPassword: { type: "http", scheme: "basic" },
        },
      },
    },
  });
  app.addHook("onRequest", async (request) => checkProtocol(request));
  app.addHook("onError", async (request, _reply, error) => noteRefusedToken(gateway, request, error));
  await app.register(async (open) => publicRoutes(open, gateway));
  if (front !== undefined) {
    await app.register(async (trees) => treeRoutes(trees, gateway, front));
  }
  const slabs = new SlabPool({ bytesMax: serverLimits.uploadBytes, usual: serverLimits.slabBytes });
  await app.register(async (closed) => {
    closed.addHook("onRequest", async (request) => {
      authenticate(gateway, request);
      refuseReading(request);
    });
    closed.addContentTypeParser(octetStream, { parseAs: "buffer" }, (_request, body, done) =>
      done(null, body),
    );
    accountRoutes(closed, gateway);
    snapshotRoutes(closed, gateway);
    sessionRoutes(closed, gateway);
    const slots = new ReadSlots();
    readRoutes(closed, gateway, slots);
    recordChannelRoute(closed, gateway, slots, readNow);
    await closed.register(async (streaming) => recordsRoute(streaming, gateway, slabs));
  });
  await app.register(async (peers) => peerRoutes(peers, gateway));
  const box = gateway.dataDir.box?.document;
  if (box !== undefined) await app.register(async (carried) => carriedRoutes(carried, gateway, box));
  await app.register(async (boxes) => seedRoutes(boxes, gateway));
  app.get("/v1/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  await app.ready();
  return app;
}

/** A token that is unknown, expired or revoked; who shows none was not refused one. */
function noteRefusedToken({ audit }: Gateway, request: FastifyRequest, error: Error): void {
  const { authorization } = request.headers;
  if (authorization === undefined || !isHoldfastError(error, ErrorCode.tokenInvalid)) return;
  audit.noteOften({
    event: "token.refused",
    outcome: "refused",
    code: ErrorCode.tokenInvalid,
    actor: { kind: "unknown" },
    address: request.ip,
    subject: { method: request.method, path: request.url.split("?")[0] ?? "" },
  });
}

/** The server of a listener: what is for the front goes there, everything else to the framework. */
function serverOf(gateway: Gateway, front: WebFront | undefined, framework: RequestListener): Server {
  const { tls } = gateway.dataDir;
  const options = {
    cert: tls.certificate,
    key: tls.key,
    ...tlsOptions,
    // From Node 24.9 on; before, other upgrades are refused.
    shouldUpgradeCallback: asksForChannel,
    headersTimeout: serverLimits.headersMs,
    keepAliveTimeout: serverLimits.keepAliveMs,
    requestTimeout: serverLimits.requestMs,
  };
  const server = createServer(options as ServerOptions, (request, response) => {
    if (front !== undefined && isForWeb(request)) void answerWeb(gateway, front, request, response);
    else framework(request, response);
  });
  server.setTimeout(serverLimits.idleMs);
  server.maxConnections = serverLimits.connections;
  return server;
}

/** Listens on the address of the settings (or `address`). @throws HoldfastError usage; the system's error */
export async function listen(
  gateway: Gateway,
  address = gateway.dataDir.settings.listen,
  front?: WebFront,
  readNow?: ReadOptions["readNow"],
): Promise<Listening> {
  const { host, port } = parseListen(address);
  const app = await buildApp(gateway, front, readNow);
  await app.listen({ host, port });
  const bound = app.server.address() as AddressInfo;
  const shown = bound.address === "0.0.0.0" || bound.address === "::" ? "127.0.0.1" : bound.address;
  const url = `https://${shown.includes(":") ? `[${shown}]` : shown}:${bound.port}`;
  return { app, url, port: bound.port };
}
