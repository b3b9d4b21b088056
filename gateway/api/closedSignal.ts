// AbortSignals that fire when the connection of a request closes before it was answered.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Fires when the client goes away, or the gateway closes its connection. */
export function closedSignal({ socket }: IncomingMessage, response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (socket.destroyed) controller.abort();
  else {
    const abort = (): void => controller.abort();
    socket.once("close", abort);
    // Keep-alive sockets outlive requests: what is left behind would pile up.
    response.once("close", () => socket.off("close", abort));
  }
  return controller.signal;
}

const signalOf = new WeakMap<Socket, AbortSignal>();

/** The same for all requests of a connection that come one after the other: it fires when that closes, and costs nothing for each. */
export function connectionSignal(socket: Socket): AbortSignal {
  const known = signalOf.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  if (socket.destroyed) controller.abort();
  else socket.once("close", () => controller.abort());
  signalOf.set(socket, controller.signal);
  return controller.signal;
}
