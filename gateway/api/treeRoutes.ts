// What programs ask of trees of snapshots, with app passwords as WebDAV: a folder as an archive, and the versions of a path.
//
// Paths are bytes, so they are taken from the raw target: `treeAddress` sends every address below a prefix to one route.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { PathVersion } from "../../fs/view/ports.ts";
import type { WebFront, WebRequest, WebScope } from "../../fs/view/webPort.ts";
import type { AppPrincipal } from "../auth/appPasswords.ts";
import type { Gateway } from "../gateway.ts";
import { basicChallenge } from "./basicAuth.ts";
import { closedSignal } from "./closedSignal.ts";
import { passwordOf } from "./connectionPassword.ts";
import { array, count, longId, object, time } from "./schemas.ts";
import { sendAnswer } from "./webAnswer.ts";
import { webActor } from "./webRequests.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set before handlers of these routes run. */
    appPrincipal: AppPrincipal | undefined;
  }
}

const prefixes = ["/v1/archive/", "/v1/history/"] as const;

/** Where a request is routed; its raw target stays as `originalUrl`. */
export function treeAddress(target: string): string {
  const prefix = prefixes.find((start) => target.startsWith(start));
  if (prefix === undefined) return target;
  const mark = target.indexOf("?");
  return `${prefix}path${mark < 0 ? "" : target.slice(mark)}`;
}

const security = [{ appPassword: [] }];
const path = object({
  "*": { type: "string", description: "account/device/item/..., each name percent-encoded" },
});

const version = object(
  {
    snapshot: longId,
    time,
    folder: { type: "string", description: "of the snapshot in drives and WebDAV" },
    until: time,
    snapshots: count,
    kind: { type: "string" },
    size: count,
    mtime: time,
    hash: { type: "string" },
    reason: { type: "string" },
  },
  ["mtime", "hash", "reason"],
);

export function treeRoutes(app: FastifyInstance, gateway: Gateway, front: WebFront): void {
  app.decorateRequest("appPrincipal", undefined);
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("www-authenticate", basicChallenge);
    const shown = passwordOf(request.raw.socket, request.headers.authorization);
    request.appPrincipal = gateway.appPasswords.authenticate(shown, request.from);
    void reply.removeHeader("www-authenticate");
  });

  app.get<{ Querystring: { format: string } }>(
    "/v1/archive/*",
    {
      schema: {
        summary: "A folder or file of a snapshot as an archive",
        security,
        params: path,
        querystring: object({ format: { type: "string", enum: ["tar", "zip"] } }),
        response: {
          200: {
            content: {
              "application/x-tar": { schema: { type: "string", format: "binary" } },
              "application/zip": { schema: { type: "string", format: "binary" } },
            },
          },
        },
      },
      exposeHeadRoute: false,
      logLevel: "warn",
    },
    async (request, reply) => {
      const { asked, scope, principal, name } = askedOf(request, reply, prefixes[0]);
      gateway.audit.reads.read({ actor: webActor(principal), address: request.from });
      const answer = await front.archive(asked, scope, name, request.query.format);
      reply.hijack();
      const mayGoOn = (): boolean => gateway.appPasswords.isCurrent(principal);
      const { signal } = asked;
      await sendAnswer(
        { request: request.raw, response: reply.raw, signal, log: gateway.logger, mayGoOn },
        answer,
      );
    },
  );

  app.get(
    "/v1/history/*",
    {
      schema: {
        summary: "The versions of a path over all snapshots of an item, newest first",
        security,
        params: path,
        response: { 200: object({ versions: array(version) }) },
      },
      exposeHeadRoute: false,
      logLevel: "warn",
    },
    async (request, reply) => {
      const { asked, scope, name } = askedOf(request, reply, prefixes[1]);
      const versions: object[] = [];
      for await (const found of front.history(asked, scope, name)) versions.push(versionInfo(found));
      return { versions };
    },
  );
}

type Asked = {
  readonly asked: WebRequest;
  readonly scope: WebScope;
  readonly principal: AppPrincipal;
  /** What follows the prefix, still encoded. */
  readonly name: string;
};

function askedOf(request: FastifyRequest, reply: FastifyReply, prefix: string): Asked {
  const principal = request.appPrincipal;
  if (principal === undefined) throw new Error("a handler ran without authentication");
  const { read, asUser, account } = principal;
  const target = request.originalUrl;
  return {
    principal,
    scope: { account: account.name, read, ...(asUser !== undefined && { asUser }) },
    name: target.slice(prefix.length).split("?")[0] as string,
    asked: {
      method: request.method,
      target,
      headers: request.headers,
      body: request.raw,
      signal: closedSignal(request.raw, reply.raw),
    },
  };
}

/** As JSON; `mtime` with nanoseconds, absent where there is none. */
function versionInfo({ mtimeNs, hash, reason, ...rest }: PathVersion): object {
  return {
    ...rest,
    ...(mtimeNs !== 0n && { mtime: timeText(mtimeNs) }),
    ...(hash !== undefined && { hash }),
    ...(reason !== undefined && { reason: reason.message }),
  };
}

const second = 1_000_000_000n;

function timeText(ns: bigint): string {
  const rest = ((ns % second) + second) % second;
  const date = new Date(Number((ns - rest) / 1_000_000n));
  if (Number.isNaN(date.getTime())) return `${(ns - rest) / second}.${String(rest).padStart(9, "0")}`;
  return `${date.toISOString().slice(0, -5)}.${String(rest).padStart(9, "0")}Z`;
}
