// Where connections become record channels: the route that is asked for one, and the sockets that were handed over.
//
// A request with our Upgrade header goes through the same hooks as every other, so who asks is found out as everywhere; only then
// is its socket taken away from HTTP.

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { http } from "../../ingest/line/nodeHttp.ts";
import { channelLimits, channelProtocol } from "../../ingest/wire/recordChannel.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Principal } from "../auth/authenticator.ts";
import type { Gateway } from "../gateway.ts";
import type { ReadOptions } from "../store/packReader.ts";
import { actorOf, bearerToken, principalOf, vaultOf } from "./access.ts";
import { demandAddress } from "./clientAddress.ts";
import { RecordChannel } from "./recordChannel.ts";
import type { ReadSlots } from "./recordStream.ts";
import { object, shortId } from "./schemas.ts";

type HandedOver = { readonly socket: Socket; readonly head: Buffer };

const address = /^\/v1\/vaults\/[^/?]*\/records$/;

/**
 * Whether a request asks for a record channel: for the server, which lets all other upgrades be. One with a body does not: HTTP would hand its
 * socket over before the body was read, and whoever waits for the body would wait for ever.
 */
export function asksForChannel({ method, url = "", headers }: IncomingMessage): boolean {
  const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  return (
    headers.upgrade?.toLowerCase() === channelProtocol && method === "GET" && address.test(url) && !hasBody
  );
}

export function recordChannelRoute(
  app: FastifyInstance,
  gateway: Gateway,
  slots: ReadSlots,
  readNow: ReadOptions["readNow"],
): void {
  const handedOver = new WeakMap<IncomingMessage, HandedOver>();
  /** All that HTTP does not know any more, so that closing the server would wait for them. */
  const sockets = new Set<Socket>();
  const open = new Map<Socket, string>();

  app.server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    if (!asksForChannel(request)) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    handedOver.set(request, { socket, head });
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const response = new http.ServerResponse(request);
    // A refusal is the last that this connection brings: HTTP does not listen to it any more.
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once("finish", () => socket.end());
    app.routing(request, response);
  });

  app.addHook("preClose", async () => {
    for (const socket of sockets) socket.destroy();
  });

  app.get<{ Params: { vault: string } }>(
    "/v1/vaults/:vault/records",
    { schema: { params: object({ vault: shortId }) }, logLevel: "warn" },
    async (request, reply) => {
      const taken = handedOver.get(request.raw);
      if (taken === undefined) {
        throw new HoldfastError(ErrorCode.usage, `this needs the header Upgrade: ${channelProtocol}`);
      }
      const principal = principalOf(request);
      const vault = await vaultOf(gateway, request, request.params.vault);
      const token = bearerToken(request);
      const reader = actorOf(request);
      const owner = ownerOf(principal);
      demandRoom(open, owner);
      const { socket, head } = taken;
      if (socket.destroyed) return;
      open.set(socket, owner);
      socket.once("close", () => open.delete(socket));
      reply.hijack();
      reply.raw.detachSocket(socket);
      socket.setNoDelay(true);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${channelProtocol}\r\n\r\n`,
      );
      if (head.length > 0) socket.unshift(head);
      const channel = new RecordChannel({
        socket,
        vault,
        slots,
        log: gateway.logger,
        readNow,
        reads: (records) => gateway.audit.reads.read({ ...reader, records }),
        demandRights: () => demandRights(gateway, token, principal, vault.id, reader.address),
      });
      // HTTP's own limit would end it while something far away is waited for.
      socket.removeAllListeners("timeout");
      socket.setTimeout(channelLimits.idleMs, () => {
        if (!channel.isBusy) socket.destroy();
      });
    },
  );
}

/** Whose channels count together. */
function ownerOf(principal: Principal): string {
  return principal.kind === "device" ? `device ${principal.device.id}` : `account ${principal.account.id}`;
}

/** @throws HoldfastError busy */
function demandRoom(open: ReadonlyMap<Socket, string>, owner: string): void {
  let own = 0;
  for (const other of open.values()) if (other === owner) own++;
  if (own < channelLimits.perPrincipal && open.size < channelLimits.inAll) return;
  throw new HoldfastError(ErrorCode.busy, "too many record channels are open");
}

/**
 * Looks everything up anew: a channel outlives what it was opened with.
 * @throws HoldfastError token-invalid, account-disabled, not-found, forbidden
 */
function demandRights(
  gateway: Gateway,
  token: string,
  opener: Principal,
  vault: string,
  address: string,
): void {
  demandAddress(gateway, address);
  const { account } = gateway.authenticator.authenticate(token, address);
  const row = gateway.catalog.vaults.get(vault);
  if (account.id === opener.account.id && row?.account === account.id) return;
  throw new HoldfastError(ErrorCode.notFound, "no such vault");
}
