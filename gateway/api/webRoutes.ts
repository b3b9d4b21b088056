// WebDAV on the gateway's own listener: everything below /dav, with app passwords. fs/webdav makes the answers, behind a port.
//
// Nothing here is parsed by the framework: addresses are bytes that need not be UTF-8 and bodies carry any Content-Type, so a request is
// sent to one fixed route by `webAddress` before routing, keeps its raw target, and is answered before any body is read.

import { METHODS } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { WebAnswer, WebFront, WebRequest } from "../../fs/view/webPort.ts";
import { HoldfastError } from "../../vault/errors.ts";
import type { AppPrincipal } from "../auth/appPasswords.ts";
import type { Gateway } from "../gateway.ts";
import { basicChallenge } from "./basicAuth.ts";
import { closedSignal } from "./closedSignal.ts";
import { passwordOf } from "./connectionPassword.ts";
import { httpStatus } from "./httpStatus.ts";
import { type Sending, sendAnswer } from "./webAnswer.ts";

/** The folder that the front is below. */
const webBase = "/dav";

/** Where a request is routed: those for the front to its one route, with the raw target kept as `originalUrl`. */
export function webAddress(method: string | undefined, target: string): string {
  const path = /^(?:https?:\/\/[^/?#]*)?(?<path>[^?#]*)/i.exec(target)?.groups?.path ?? "";
  if (path === webBase || path.startsWith(`${webBase}/`)) return webBase;
  // Some clients look at the server's root before they go below it.
  const isRoot = path === "/" || path === "*" || path === "";
  return isRoot && (method === "OPTIONS" || method === "PROPFIND") ? webBase : target;
}

export function webRoutes(app: FastifyInstance, gateway: Gateway, front: WebFront): void {
  const methods = METHODS.filter((method) => method !== "CONNECT");
  for (const method of methods) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  app.route({
    method: methods,
    url: webBase,
    exposeHeadRoute: false,
    schema: { hide: true },
    // Only what went wrong is logged (below): a drive is thousands of requests, and their paths are names of files.
    logLevel: "silent",
    onRequest: async (request, reply) => {
      reply.hijack();
      await serve(gateway, front, request, reply);
    },
    handler: () => {
      throw new Error("a hijacked request came back");
    },
  });
}

/** Never throws. */
async function serve(
  gateway: Gateway,
  front: WebFront,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const signal = closedSignal(request, reply);
  const log = gateway.logger;
  let principal: AppPrincipal | undefined;
  const sending: Sending = {
    request: request.raw,
    response: reply.raw,
    signal,
    log,
    mayGoOn: () => principal === undefined || gateway.appPasswords.isCurrent(principal),
  };
  const parts: WebRequest = {
    method: request.method,
    target: request.originalUrl,
    headers: request.headers,
    // Leaving the body early must not cost the connection its answer.
    body: request.raw.iterator({ destroyOnReturn: false }),
    signal,
  };
  try {
    const known = front.answerAnybody(parts);
    if (known !== undefined) return await sendAnswer(sending, known);
    const shown = passwordOf(request.raw.socket, request.headers.authorization);
    principal = gateway.appPasswords.authenticate(shown, request.ip);
    const { read, asUser } = principal;
    const scope = { account: principal.account.name, read, ...(asUser !== undefined && { asUser }) };
    await sendAnswer(sending, await front.answer(parts, scope));
  } catch (error) {
    // A client that left while its body was read hears no answer.
    if (signal.aborted) return;
    if (!(error instanceof HoldfastError)) log.error({ err: error }, "WebDAV request failed");
    // Clients begin without credentials, to be asked for them.
    else if (request.headers.authorization !== undefined) {
      log.info({ code: error.code, from: request.ip }, "WebDAV request refused");
    }
    await sendAnswer(sending, refusal(error));
  }
}

function refusal(error: unknown): WebAnswer {
  const known = error instanceof HoldfastError;
  const status = known ? httpStatus(error.code) : 500;
  const wait = known ? error.detail.retryAfterSeconds : undefined;
  const message = known
    ? `${error.message}. ${error.next ?? ""}`
    : "an unexpected failure; the gateway's log has details";
  return {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      ...(status === 401 && { "www-authenticate": basicChallenge }),
      ...(typeof wait === "number" && { "retry-after": String(wait) }),
    },
    body: Buffer.from(`${message.trim()}\n`),
  };
}
