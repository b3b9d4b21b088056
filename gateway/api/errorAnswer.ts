// Turns whatever a handler threw into the error body of docs/protocol.md, and logs what was not expected.

import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ErrorBody } from "../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { errnoOf } from "../store/files.ts";
import { httpStatus } from "./httpStatus.ts";

/** Errors of fastify itself that clients cause. */
function fromFastify(error: FastifyError): HoldfastError | undefined {
  if (error.validation !== undefined) return new HoldfastError(ErrorCode.usage, error.message);
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new HoldfastError(ErrorCode.limitExceeded, "the body of the request is too large");
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new HoldfastError(ErrorCode.usage, error.message);
  }
  return undefined;
}

/** Any error as HoldfastError; what was not foreseen becomes `internal` and says nothing about its cause. */
export function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const known = error instanceof Error ? fromFastify(error as FastifyError) : undefined;
  return (
    known ?? new HoldfastError(ErrorCode.internal, "an unexpected failure; the gateway's log has details")
  );
}

/** The error body. */
export function errorBody(error: HoldfastError): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error.next !== undefined && { next: error.next }),
      ...(Object.keys(error.detail).length > 0 && { detail: error.detail }),
    },
  };
}

const ofDisk: readonly string[] = [ErrorCode.diskFull, ErrorCode.ioError, ErrorCode.dataDirInvalid];

const aPath = /(?:^|[\s'"(])\/\S/;

/** What is told on the network of this machine's disk: no path of it. The log has that, and who administers the gateway. */
export function withoutPath(error: HoldfastError): HoldfastError {
  const { path, ...detail } = error.detail;
  if (typeof path !== "string" || !ofDisk.includes(error.code)) return error;
  const isFull = error.code === ErrorCode.diskFull;
  const general = isFull
    ? "no space left on the gateway's disk"
    : "the gateway cannot read or write its disk";
  const errno = errnoOf(error.cause);
  const named = isFull || errno === undefined ? general : `${general} (${errno})`;
  const message = isFull ? error.message : error.message.replaceAll(path, "the gateway's disk");
  return new HoldfastError(error.code, aPath.test(message) ? named : message, {
    next: error.next ?? "Tell whoever runs the gateway: its log has the cause.",
    detail,
  });
}

/** Answers all failures of an app in the form of docs/protocol.md. `told`: what of an error is told. */
export function answerErrors(app: FastifyInstance, told: (error: HoldfastError) => HoldfastError): void {
  // The schemas' limits do not see it: "1e400" in an address is taken for a number without end.
  app.addHook("preHandler", async ({ params, query }: FastifyRequest) => {
    for (const value of [...Object.values(params ?? {}), ...Object.values(query ?? {})])
      if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
        throw new HoldfastError(ErrorCode.usage, "a number in the address is too large");
  });
  app.setErrorHandler((thrown, request: FastifyRequest, reply: FastifyReply) => {
    const error = asHoldfastError(thrown);
    const status = httpStatus(error.code);
    if (error.code === ErrorCode.internal) request.log.error({ err: thrown }, "request failed");
    else
      request.log[status >= 500 ? "warn" : "info"](
        { code: error.code, why: error.message },
        "request refused",
      );
    const wait = error.detail.retryAfterSeconds;
    if (typeof wait === "number") void reply.header("retry-after", wait);
    if (status === 401 && !reply.hasHeader("www-authenticate"))
      void reply.header("www-authenticate", "Bearer");
    void reply
      .status(status)
      .type("application/json")
      .send(errorBody(told(error)));
  });
  app.setNotFoundHandler((_request, reply) => {
    const error = new HoldfastError(ErrorCode.notFound, "there is nothing at this address");
    void reply.status(404).send(errorBody(error));
  });
}

/** What the HTTP server itself refuses, by the code of its error. */
const unparsedStatus = new Map([
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"],
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
]);

/**
 * Answers what is no HTTP, comes too slowly, or has more headers than 16 KiB, and ends the connection. There is no body: nobody knows whether
 * it was a HEAD, whose answer has none.
 */
export function refuseUnparsed(error: Error & { readonly code: string }, socket: Socket): void {
  if (error.code !== "ECONNRESET" && socket.writable) {
    const status = unparsedStatus.get(error.code) ?? "400 Bad Request";
    socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy(error);
}
