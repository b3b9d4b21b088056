// The one place at which a request is let through to its route: after whoever asks was found out, before its body is read.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { AccessTokenRow } from "../catalog/accessTokens.ts";
import { type AskerKind, type RouteRight, routeRights } from "./routeRights.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set on the routes under /v1/admin/ before any handler runs. */
    accessToken: AccessTokenRow | undefined;
    /** It showed what only this box's datacentre can sign. */
    isDatacentre: boolean;
  }
}

function rightOf(method: string, url: string): RouteRight | undefined {
  const own = routeRights[`${method} ${url}`];
  return own === undefined && method === "HEAD" ? routeRights[`GET ${url}`] : own;
}

/** Refuses routes that nobody decided about, and requests of who may not. To be called before any route is registered. */
export function guardRoutes(app: FastifyInstance): void {
  app.decorateRequest("accessToken", undefined);
  app.decorateRequest("isDatacentre", false);
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) {
      if (rightOf(each, url) === undefined) throw new Error(`nobody may ask for ${each} ${url}`);
    }
  });
  // Behind the hooks of all groups of routes that find out who asks.
  app.addHook("preParsing", async (request) => {
    if (!request.is404) demandRight(request);
  });
}

/** @throws HoldfastError forbidden, token-invalid */
function demandRight(request: FastifyRequest): void {
  const right = rightOf(request.method, request.routeOptions.url ?? "");
  if (right?.who.includes("anybody") === true) return;
  const kind = kindOf(request);
  if (kind === undefined) throw new HoldfastError(ErrorCode.tokenInvalid, "this needs a token");
  if (right?.who.includes(kind) !== true) {
    throw new HoldfastError(ErrorCode.forbidden, `this is not for the credential of ${nameOf(kind)}`, {
      next: `It is for: ${right?.who.join(", ") ?? "nobody"}.`,
    });
  }
  const scopes = request.accessToken?.scopes ?? null;
  if (scopes === null || right.scope === undefined || scopes.includes(right.scope)) return;
  throw new HoldfastError(ErrorCode.forbidden, `this access token is held to ${scopes.join(", ")}`);
}

function kindOf(request: FastifyRequest): AskerKind | undefined {
  if (request.principal !== undefined) return request.principal.kind;
  if (request.accessToken !== undefined) return request.accessToken.role;
  if (request.appPrincipal !== undefined) return "app-password";
  if (request.peer !== undefined) return "peer";
  if (request.box !== undefined) return "box";
  if (request.invited !== undefined) return "invite";
  return request.isDatacentre ? "datacentre" : undefined;
}

function nameOf(kind: AskerKind): string {
  if (kind === "login") return "a person who logged in";
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
