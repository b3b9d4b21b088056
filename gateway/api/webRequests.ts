// WebDAV on the gateway's own listener: everything below /dav, with app passwords. fs/webdav makes the answers, behind a port.
//
// The framework never sees these requests: addresses are bytes that need not be UTF-8, bodies carry any Content-Type, and its routing,
// loggers and objects would be a tenth of what a read of 64 KiB costs (docs/decisions/0009). A request is answered before any body is read.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebAnswer, WebFront, WebRequest } from "../../fs/view/webPort.ts";
import { HoldfastError } from "../../vault/errors.ts";
import type { AuditActor } from "../audit/events.ts";
import type { AppPrincipal } from "../auth/appPasswords.ts";
import type { Gateway } from "../gateway.ts";
import { basicChallenge } from "./basicAuth.ts";
import { demandAddress, originOf } from "./clientAddress.ts";
import { connectionSignal } from "./closedSignal.ts";
import { passwordOf } from "./connectionPassword.ts";
import type { EagerLoop } from "./eagerLoop.ts";
import { httpStatus } from "./httpStatus.ts";
import { noteRefusal } from "./refusals.ts";
import { type Sending, sendAnswer } from "./webAnswer.ts";

/** The folder that the front is below. */
const webBase = "/dav";

/** Whether a request is for the front. */
export function isForWeb({ method, url = "" }: IncomingMessage): boolean {
  if (url.startsWith("/v1/")) return false;
  const path = /^(?:https?:\/\/[^/?#]*)?(?<path>[^?#]*)/i.exec(url)?.groups?.path ?? "";
  if (path === webBase || path.startsWith(`${webBase}/`)) return true;
  // Some clients look at the server's root before they go below it.
  const isRoot = path === "/" || path === "*" || path === "";
  return isRoot && (method === "OPTIONS" || method === "PROPFIND");
}

/** Answers a request for the front. Never throws. Only what went wrong is logged: a drive is thousands of requests, and their paths are names of files. */
export async function answerWeb(
  gateway: Gateway,
  front: WebFront,
  eager: EagerLoop,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  eager.arrived();
  const signal = connectionSignal(request.socket);
  const from = originOf(gateway, request);
  const log = gateway.logger;
  let principal: AppPrincipal | undefined;
  const sending: Sending = {
    request,
    response,
    signal,
    log,
    mayGoOn: () => principal === undefined || gateway.appPasswords.isCurrent(principal),
  };
  const parts: WebRequest = {
    method: request.method ?? "",
    target: request.url ?? "",
    headers: request.headers,
    // Leaving the body early must not cost the connection its answer.
    body: request.iterator({ destroyOnReturn: false }),
    signal,
  };
  try {
    demandAddress(gateway, from);
    const known = front.answerAnybody(parts);
    if (known !== undefined) return await sendAnswer(sending, known);
    const shown = passwordOf(request.socket, request.headers.authorization);
    principal = gateway.appPasswords.authenticate(shown, from);
    const { read, asUser } = principal;
    if (parts.method === "GET") gateway.audit.reads.read({ actor: webActor(principal), address: from });
    const scope = { account: principal.account.name, read, ...(asUser !== undefined && { asUser }) };
    await sendAnswer(sending, await front.answer(parts, scope));
    eager.answered();
  } catch (error) {
    // A client that left while its body was read hears no answer.
    if (signal.aborted) return;
    const hasShown = request.headers.authorization !== undefined;
    const closes = noteRefusal(gateway, { from, method: parts.method, hasShown }, error);
    if (!(error instanceof HoldfastError)) log.error({ err: error }, "WebDAV request failed");
    // Clients begin without credentials, to be asked for them.
    else if (hasShown) {
      log.info({ code: error.code, from }, "WebDAV request refused");
    }
    await sendAnswer(sending, refusal(error, closes));
  }
}

/** Who reads, for the audit log. */
export function webActor({ account, id, label }: AppPrincipal): AuditActor {
  return { kind: "app-password", account: account.name, id, label };
}

function refusal(error: unknown, closes: boolean): WebAnswer {
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
      ...(closes && { connection: "close" }),
      ...(status === 401 && { "www-authenticate": basicChallenge }),
      ...(typeof wait === "number" && { "retry-after": String(wait) }),
    },
    body: Buffer.from(`${message.trim()}\n`),
  };
}
