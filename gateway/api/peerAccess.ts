// Who asks on the peer routes, and what its errors may tell.

import type { FastifyInstance, FastifyRequest } from "fastify";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { PeerRow } from "../catalog/peers.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenPeer } from "../peer/peers.ts";
import { diskIsFull } from "../peer/room.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set on the peer routes before any handler runs. */
    peer: PeerRow | undefined;
  }
}

/** Lets only peers in, and keeps paths of this machine out of answers. */
export function admitPeers(app: FastifyInstance, gateway: Gateway): void {
  app.decorateRequest("peer", undefined);
  app.addHook("onRequest", async (request) => {
    const match = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(request.headers.authorization ?? "");
    request.peer = gateway.peers.authenticate(match?.[1] ?? "");
  });
  app.setErrorHandler((error, request) => {
    // What is left of a body is thrown away, so that the client can read the answer.
    request.raw.resume();
    if (isHoldfastError(error, ErrorCode.diskFull)) throw diskIsFull();
    if (isHoldfastError(error, ErrorCode.replicaUnreachable)) {
      request.log.error({ err: error, peer: request.peer?.name }, "a peer's folder is not there");
      throw new HoldfastError(
        ErrorCode.replicaUnreachable,
        "the far gateway's disk for replicas is not there",
      );
    }
    if (!isHoldfastError(error, ErrorCode.ioError)) throw error;
    request.log.error({ err: error, peer: request.peer?.name }, "a peer's object cannot be read or written");
    throw new HoldfastError(ErrorCode.ioError, "the far gateway cannot read or write its disk", {
      next: "Tell whoever runs it: its log has the cause.",
    });
  });
}

/** The peer that asks. */
export async function peerOf(
  gateway: Gateway,
  request: FastifyRequest,
): Promise<OpenPeer & { readonly row: PeerRow }> {
  const { peer } = request;
  if (peer === undefined) throw new Error("a handler ran without authentication");
  return { ...(await gateway.peers.open(peer)), row: peer };
}
