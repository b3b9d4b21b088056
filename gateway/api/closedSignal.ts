// An AbortSignal that fires when the connection of a request closes before it was answered.

import type { FastifyReply, FastifyRequest } from "fastify";

/** Fires when the client goes away, or the gateway closes its connection. */
export function closedSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const { socket } = request.raw;
  if (socket.destroyed) controller.abort();
  else {
    const abort = (): void => controller.abort();
    socket.once("close", abort);
    // Keep-alive sockets outlive requests: what is left behind would pile up.
    reply.raw.once("close", () => socket.off("close", abort));
  }
  return controller.signal;
}
