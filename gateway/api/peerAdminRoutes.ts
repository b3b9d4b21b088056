// The admin socket's routes about peers. Answers hold a new token: nothing of them is logged.

import type { FastifyInstance } from "fastify";
import type { NewPeer, PeerOperations } from "../admin/peerOperations.ts";
import type { Gateway } from "../gateway.ts";
import { array, count, flag, longId, nullable, object, shortId, time } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const path = { type: "string" } as const;

const peer = {
  id: shortId,
  name: text,
  quotaBytes: nullable(count),
  usedBytes: count,
  objects: count,
  holdSeconds: count,
  created: time,
  folder: path,
} as const;
const issued = object({ ...peer, token: text, fingerprint: text, signer: longId, listen: text });

type ByName = { Params: { name: string } };

export function peerAdminRoutes(app: FastifyInstance, gateway: Gateway, operations: PeerOperations): void {
  const params = object({ name: text });
  app.get(
    "/peers",
    { schema: { querystring: object({}), response: { 200: array(object(peer)) } } },
    async () => await operations.peers(),
  );
  app.post<{ Body: NewPeer }>(
    "/peers",
    {
      schema: {
        body: object({ name: text, quotaBytes: nullable(count), holdSeconds: count }),
        response: { 201: issued },
      },
    },
    async (request, reply) => {
      const answer = await operations.addPeer(request.body);
      const { name, id, quotaBytes, holdSeconds } = answer;
      gateway.logger.info({ peer: name, id, quotaBytes, holdSeconds }, "peer added");
      void reply.status(201);
      return answer;
    },
  );
  app.post<ByName>(
    "/peers/:name/token",
    { schema: { params, body: object({}), response: { 200: issued } } },
    async (request) => {
      const answer = await operations.rotatePeer(request.params.name);
      gateway.logger.info({ peer: answer.name }, "peer has a new token");
      return answer;
    },
  );
  app.delete<ByName & { Querystring: { deleteData: boolean } }>(
    "/peers/:name",
    { schema: { params, querystring: object({ deleteData: flag }), response: { 200: object(peer) } } },
    async (request) => {
      const answer = await operations.removePeer(request.params.name, request.query.deleteData);
      gateway.logger.info({ peer: answer.name, deleteData: request.query.deleteData }, "peer removed");
      return answer;
    },
  );
}
