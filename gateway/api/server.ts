// The HTTPS listener: fastify with the routes of docs/protocol.md, limits on connections and time, and an OpenAPI description.

import type { RequestListener, ServerResponse } from "node:http";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance } from "fastify";
import type { WebFront } from "../../fs/view/webPort.ts";
import { SlabPool } from "../../ingest/session/slabPool.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import type { AdminOperations } from "../admin/operations.ts";
import { addressRefused } from "../auth/accountAddresses.ts";
import type { Gateway } from "../gateway.ts";
import { parseListen } from "../listenAddress.ts";
import type { GatewayMetrics } from "../metrics/gatewayMetrics.ts";
import type { ReadOptions } from "../store/packReader.ts";
import { authenticate, checkProtocol } from "./access.ts";
import { accessTokenRoutes } from "./accessTokenRoutes.ts";
import { accountRoutes } from "./accountRoutes.ts";
import { refuseReading } from "./appendOnly.ts";
import { guardRoutes } from "./askers.ts";
import { carriedRoutes } from "./carriedRoutes.ts";
import { admitsAddress, demandAddress, isProxy, originOf } from "./clientAddress.ts";
import { ConnectionPace } from "./connectionPace.ts";
import { ConnectionShare } from "./connectionShare.ts";
import { definitionRoutes } from "./definitionRoutes.ts";
import { EagerLoop } from "./eagerLoop.ts";
import { answerErrors, refuseUnparsed, withoutPath } from "./errorAnswer.ts";
import { inviteRoutes } from "./inviteRoutes.ts";
import { lazyCompilers, provenSchemas } from "./lazySchemas.ts";
import { metricsRoute } from "./metricsRoute.ts";
import { peerRoutes } from "./peerRoutes.ts";
import { publicRoutes } from "./publicRoutes.ts";
import { readRoutes } from "./readRoutes.ts";
import { asksForChannel, recordChannelRoute } from "./recordChannelRoute.ts";
import { ReadSlots } from "./recordStream.ts";
import { noteRefusal } from "./refusals.ts";
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
  /** Of one connection, without an answer. */
  requestsWaiting: 8,
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

/** What a listener serves besides agents. */
export type Served = {
  /** WebDAV, archives and histories. */
  readonly front?: WebFront | undefined;
  /** Reads what is in the page cache at once. */
  readonly readNow?: ReadOptions["readNow"];
  readonly metrics?: GatewayMetrics;
  /** For access tokens. */
  readonly operations?: AdminOperations;
};

/** Builds the app without listening. */
export async function buildApp(gateway: Gateway, served: Served = {}): Promise<FastifyInstance> {
  const { front, readNow, metrics, operations } = served;
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
    clientErrorHandler: refuseUnparsed,
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, ...provenSchemas } },
    schemaController: { compilersFactory: lazyCompilers() },
    routerOptions: { maxParamLength: 512 },
    rewriteUrl: ({ url = "/" }) => (front === undefined ? url : treeAddress(url)),
  }) as unknown as FastifyInstance;
  answerErrors(app, withoutPath);
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
  guardRoutes(app);
  app.decorateRequest("from", "");
  app.addHook("onRequest", async (request) => {
    request.from = originOf(gateway, request.raw);
    demandAddress(gateway, request.from);
    checkProtocol(request);
  });
  app.addHook("onError", async (request, reply, error) => {
    const { method, from, headers } = request;
    const path = request.url.split("?")[0] ?? "";
    // A login shows what it shows in its body.
    const hasShown = headers.authorization !== undefined || path === "/v1/login";
    if (noteRefusal(gateway, { from, method, path, hasShown }, error))
      void reply.header("connection", "close");
  });
  await app.register(async (open) => publicRoutes(open, gateway));
  if (metrics !== undefined) await app.register(async (own) => metricsRoute(own, gateway, metrics));
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
    definitionRoutes(closed, gateway);
    sessionRoutes(closed, gateway);
    const slots = new ReadSlots();
    readRoutes(closed, gateway, slots);
    recordChannelRoute(closed, gateway, slots, readNow);
    await closed.register(async (streaming) => recordsRoute(streaming, gateway, slabs));
  });
  await app.register(async (invited) => inviteRoutes(invited, gateway));
  await app.register(async (peers) => peerRoutes(peers, gateway));
  const box = gateway.dataDir.box?.document;
  if (box !== undefined) await app.register(async (carried) => carriedRoutes(carried, gateway, box));
  await app.register(async (boxes) => seedRoutes(boxes, gateway));
  if (operations !== undefined) {
    await app.register(async (tokens) => accessTokenRoutes(tokens, gateway, operations));
  }
  app.get("/v1/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  await app.ready();
  return app;
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
  const eager = new EagerLoop(() => performance.now(), setImmediate);
  const server = createServer(options as ServerOptions, (request, response) => {
    if (!mayWait(request.socket, response)) return;
    if (front !== undefined && isForWeb(request)) void answerWeb(gateway, front, eager, request, response);
    else framework(request, response);
  });
  server.setTimeout(serverLimits.idleMs);
  server.maxConnections = serverLimits.connections;
  guardConnections(gateway, server);
  return server;
}

/** Looks at connections before TLS costs anything: addresses that are not to connect, and sources that showed wrong credentials. */
function guardConnections(gateway: Gateway, server: Server): void {
  const { suspects } = gateway.authenticator;
  const pace = new ConnectionPace(
    (address) => suspects.isSuspect(address),
    () => performance.now(),
  );
  const share = new ConnectionShare(serverLimits.connections);
  const begin = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const admit = (): void => {
      for (const listener of begin) listener.call(server, socket);
    };
    if (isProxy(gateway, address)) admit();
    else if (admitsAddress(gateway, address)) {
      if (share.take(socket, address)) pace.take(socket, address, admit);
      else socket.destroy();
    } else {
      noteRefusal(gateway, { from: address, method: "connect", hasShown: false }, addressRefused("gateway"));
      socket.destroy();
    }
  });
  server.once("close", () => pace.close());
}

/** Requests of a connection that have no answer yet. */
const openRequests = new WeakMap<Socket, number>();

/** Nobody who means well sends many requests before the first is answered; the connection of who does is closed. */
function mayWait(socket: Socket, response: ServerResponse): boolean {
  const open = (openRequests.get(socket) ?? 0) + 1;
  if (open > serverLimits.requestsWaiting) {
    socket.destroy();
    return false;
  }
  openRequests.set(socket, open);
  response.once("close", () => openRequests.set(socket, (openRequests.get(socket) ?? 1) - 1));
  return true;
}

/** Listens on the address of the settings (or `address`). @throws HoldfastError usage; the system's error */
export async function listen(
  gateway: Gateway,
  address = gateway.dataDir.settings.listen,
  served: Served = {},
): Promise<Listening> {
  const { host, port } = parseListen(address);
  const app = await buildApp(gateway, served);
  // It thinks of HTTP: that our own server speaks TLS it does not know.
  const listenTextResolver = (at: string): string => `Server listening at ${at.replace(/^http:/, "https:")}`;
  await app.listen({ host, port, listenTextResolver });
  const bound = app.server.address() as AddressInfo;
  const shown = bound.address === "0.0.0.0" || bound.address === "::" ? "127.0.0.1" : bound.address;
  const url = `https://${shown.includes(":") ? `[${shown}]` : shown}:${bound.port}`;
  return { app, url, port: bound.port };
}
