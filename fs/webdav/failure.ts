// Answers that say no. WebDAV clients show little of a body, so what a person must know is also the reason phrase.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { WebAnswer, WebRequest } from "../view/webPort.ts";
import { escapeMarkup } from "./markup.ts";

/** The status of what a view failed with. Damage of every kind is 500; what is not listed, too. */
const statuses: { readonly [code in ErrorCode]?: number } = {
  // A view says "usage" of a path that goes through something that is no directory.
  [ErrorCode.usage]: 404,
  [ErrorCode.notFound]: 404,
  [ErrorCode.forbidden]: 403,
  [ErrorCode.keyWrong]: 403,
  // Not 423: to clients that is a lock of their own protocol, which they offer to wait for or to break.
  [ErrorCode.vaultLocked]: 403,
  [ErrorCode.cancelled]: 503,
  [ErrorCode.busy]: 503,
  [ErrorCode.promised]: 503,
  [ErrorCode.leftOut]: 404,
  [ErrorCode.gatewayUnreachable]: 502,
};

const usual: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

export type Refusal = {
  readonly status: number;
  readonly message: string;
  readonly reason?: string;
  /** A precondition of RFC 4918 that was not met. */
  readonly condition?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Text for GET, the RFC's XML otherwise; programs such as rclone show its message. */
export function refuse(request: WebRequest, refusal: Refusal): WebAnswer {
  const { status, message, reason, condition, headers } = refusal;
  const isText = request.method === "GET" || request.method === "HEAD";
  const inner =
    (condition === undefined ? "" : `<D:${condition}/>`) +
    `<h:message xmlns:h="urn:holdfast:error">${escapeMarkup(message)}</h:message>`;
  const body = isText
    ? `${message}\n`
    : `<?xml version="1.0" encoding="utf-8"?>\n<D:error xmlns:D="DAV:">${inner}</D:error>\n`;
  return {
    status,
    ...(reason !== undefined && { reason: reason.replace(/[^\x20-\x7e]/g, "?").slice(0, 200) }),
    headers: {
      ...usual,
      "content-type": isText ? "text/plain; charset=utf-8" : "application/xml; charset=utf-8",
      ...headers,
    },
    body: Buffer.from(body),
  };
}

/** The answer to what a view failed with. @throws what is no HoldfastError */
export function refuseFailure(request: WebRequest, error: unknown): WebAnswer {
  if (!(error instanceof HoldfastError)) throw error;
  const status = statuses[error.code] ?? 500;
  const next = error.next === undefined ? "" : ` ${error.next}`;
  if (error.code === ErrorCode.vaultLocked) {
    const message = `${error.message}. To unlock it, on the gateway:${next}`;
    return refuse(request, { status, message, reason: `Vault locked. Unlock it on the gateway:${next}` });
  }
  const answer = refuse(request, {
    status,
    message: error.message + (next === "" ? "" : `.${next}`),
    ...(error.code === ErrorCode.busy && { headers: { "retry-after": "5" } }),
  });
  return status >= 500 ? { ...answer, failure: error } : answer;
}
