// Routes for operators and auditors (docs/protocol.md, "Access tokens"): those of the admin socket that routeRights.ts names, and no others.

import { AsyncLocalStorage } from "node:async_hooks";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { AdminOperations } from "../admin/operations.ts";
import { PeerAdministration } from "../admin/peerOperations.ts";
import type { ReplicaOperations } from "../admin/replicaOperations.ts";
import { auditedAdministration, auditedPeers } from "../audit/adminRules.ts";
import type { Doer } from "../audit/audited.ts";
import { networkOf } from "../auth/loginThrottle.ts";
import { tokenHash, tokenKind } from "../auth/tokens.ts";
import type { AccessTokenRow } from "../catalog/accessTokens.ts";
import type { Gateway } from "../gateway.ts";
import { bearerToken } from "./access.ts";
import { accountsSeenAnswer } from "./adminAnswers.ts";
import { alertRoutes } from "./alertRoutes.ts";
import { auditRoutes } from "./auditRoutes.ts";
import { evictRoute } from "./evictRoute.ts";
import { gcRoutes } from "./gcRoutes.ts";
import { jobHistoryRoutes } from "./jobHistoryRoutes.ts";
import { stopRoute } from "./jobRoute.ts";
import { peerAdminRoutes } from "./peerAdminRoutes.ts";
import { replicaRoutes } from "./replicaRoutes.ts";
import { retentionRoutes } from "./retentionRoutes.ts";
import { routeRights } from "./routeRights.ts";
import { scrubRoutes } from "./scrubRoutes.ts";
import { stateRoutes } from "./stateRoutes.ts";

const prefix = "/v1/admin";
/** Tokens and networks that were seen since the start. */
const seenMax = 10_000;

/** All of them, below an app of their own. */
export function accessTokenRoutes(app: FastifyInstance, gateway: Gateway, operations: AdminOperations): void {
  const asking = new AsyncLocalStorage<Doer>();
  const seen = new Set<string>();
  app.addHook("onRequest", async (request) => {
    request.accessToken = authenticate(gateway, request);
    const key = `${request.accessToken.id} ${networkOf(request.from)}`;
    if (seen.has(key)) return;
    if (seen.size >= seenMax) seen.clear();
    seen.add(key);
    const doer = doerOf(request);
    gateway.audit.note({ event: "access-token.new-address", outcome: "done", ...doer, subject: {} });
  });
  // Reading a body would lose it.
  app.addHook("preHandler", (request, _reply, done) => asking.run(doerOf(request), done));
  const who = (): Doer => {
    const doer = asking.getStore();
    if (doer === undefined) throw new Error("a handler ran without authentication");
    return doer;
  };
  const by = { audit: gateway.audit, who };
  const audited = auditedAdministration(operations, by);
  const served = onlyServed(app);
  stateRoutes(served, audited, accountsSeenAnswer);
  retentionRoutes(served, gateway, audited.retention);
  replicaRoutes(served, gateway, withoutTakeOver(audited.replicas));
  peerAdminRoutes(served, gateway, auditedPeers(new PeerAdministration(gateway), by));
  alertRoutes(served, gateway, audited.alerts);
  jobHistoryRoutes(served, audited.jobs);
  auditRoutes(served, gateway, audited.audit);
  scrubRoutes(served, gateway, withoutNames(audited));
  evictRoute(served, gateway, audited);
  gcRoutes(served, gateway, audited);
  stopRoute(served);
}

function doerOf({ accessToken, from }: FastifyRequest): Doer {
  if (accessToken === undefined) throw new Error("a handler ran without authentication");
  const { id, label, role } = accessToken;
  return { actor: { kind: "access-token", id, label, role }, address: from };
}

/** @throws HoldfastError token-invalid */
function authenticate({ catalog, now }: Gateway, request: FastifyRequest): AccessTokenRow {
  const token = bearerToken(request);
  const row = tokenKind(token) === "access" ? catalog.accessTokens.byHash(tokenHash(token)) : undefined;
  if (row !== undefined && Date.parse(row.expires) > now().getTime()) return row;
  throw new HoldfastError(ErrorCode.tokenInvalid, "the access token is unknown, expired or revoked", {
    next: "Ask an administrator for another: holdfast token create.",
  });
}

/** Registers what routeRights names below the prefix, and lets everything else pass unregistered. */
function onlyServed(app: FastifyInstance): FastifyInstance {
  return new Proxy(app, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (!["get", "post", "put", "delete"].includes(String(name))) return value;
      return (path: string, ...rest: unknown[]): void => {
        if (routeRights[`${String(name).toUpperCase()} ${prefix}${path}`] === undefined) return;
        (value as (...args: unknown[]) => unknown).call(target, `${prefix}${path}`, ...rest);
      };
    },
  });
}

type Upkeep = Parameters<typeof scrubRoutes>[2];

/** Names of files are their owner's, also where the vault is unlocked: how many are hurt is told, and of which snapshots. */
function withoutNames(operations: Upkeep): Upkeep {
  return {
    scrub: (request, watch) => operations.scrub(request, watch),
    scrubStatus: (rows) => operations.scrubStatus(rows),
    drills: () => operations.drills(),
    check: async (request, watch) => {
      const { vaults } = await operations.check(request, watch);
      return { vaults: vaults.map((vault) => ({ ...vault, files: null })) };
    },
    drill: async (request, watch) => {
      const { vaults, locked } = await operations.drill(request, watch);
      return { vaults: vaults.map((vault) => ({ ...vault, wrong: [] })), locked };
    },
  };
}

function withoutTakeOver(replicas: ReplicaOperations): ReplicaOperations {
  const run: ReplicaOperations["run"] = async (request, watch) => {
    if (!request.takeOver) return await replicas.run(request, watch);
    throw new HoldfastError(ErrorCode.forbidden, "a replica is taken over on the gateway's own machine", {
      next: "holdfast replica run NAME --take-over --data DIR",
    });
  };
  return new Proxy(replicas, {
    get: (target, name) => (name === "run" ? run : Reflect.get(target, name, target)),
  });
}
