// Routes on which objects of peers arrive (docs/protocol.md, "Peers").

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  healHeader,
  objectHashHeader,
  peerLimits,
  type UploadAnswer,
  type UploadRequest,
} from "../../ingest/wire/peer.ts";
import { octetStream } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { peerOf } from "./peerAccess.ts";
import { count, flag, longId, object, shortId } from "./schemas.ts";

type ByUpload = { Params: { upload: string } };
const uploadParams = object({ upload: shortId });
const uploadAnswer = object({ upload: shortId, offset: count, done: flag });

/** Routes whose bodies are not read into memory. */
export function peerBodyRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(octetStream, (_request, payload, done) => done(null, payload));

  app.put<{ Params: { "*": string } }>(
    "/v1/peer/objects/*",
    { schema: { response: { 201: object({ proof: { const: "hashed" } }) } }, logLevel: "warn" },
    async (request, reply) => {
      const { uploads, bodies, row } = await peerOf(gateway, request);
      const heal = request.headers[healHeader] === "1";
      if (!heal && request.headers["if-none-match"] !== "*") {
        throw new HoldfastError(ErrorCode.usage, "a PUT needs If-None-Match: *, nothing is overwritten here");
      }
      const declared = {
        key: request.params["*"],
        bytes: declaredLength(request, reply, peerLimits.putBytesMax),
        sha256: declaredHash(request),
        heal,
      };
      await bodies.run(() => uploads.put(row, declared, request.raw));
      void reply.status(201);
      return { proof: "hashed" };
    },
  );

  app.put<ByUpload & { Querystring: { offset: number } }>(
    "/v1/peer/uploads/:upload",
    {
      schema: {
        params: uploadParams,
        querystring: object({ offset: count }),
        response: { 200: uploadAnswer },
      },
      logLevel: "warn",
    },
    async (request, reply): Promise<UploadAnswer> => {
      const { uploads, bodies } = await peerOf(gateway, request);
      const length = declaredLength(request, reply, peerLimits.partBytesMax);
      const { upload } = request.params;
      return await bodies.run(() => uploads.part(upload, request.query.offset, length, request.raw));
    },
  );
}

/** Beginning, asking about and ending uploads. */
export function peerUploadRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.post<{ Body: UploadRequest }>(
    "/v1/peer/uploads",
    {
      schema: {
        body: object(
          {
            key: { type: "string", minLength: 1, maxLength: peerLimits.keyBytesMax },
            bytes: { ...count, minimum: 1 },
            sha256: longId,
            heal: flag,
          },
          ["heal"],
        ),
        response: { 201: uploadAnswer },
      },
      logLevel: "warn",
    },
    async (request, reply): Promise<UploadAnswer> => {
      const { uploads, row } = await peerOf(gateway, request);
      const answer = await uploads.start(row, request.body);
      void reply.status(201);
      return answer;
    },
  );
  app.get<ByUpload>(
    "/v1/peer/uploads/:upload",
    { schema: { params: uploadParams, response: { 200: uploadAnswer } }, logLevel: "warn" },
    async (request): Promise<UploadAnswer> => {
      const { uploads } = await peerOf(gateway, request);
      return uploads.state(request.params.upload);
    },
  );
  app.delete<ByUpload>(
    "/v1/peer/uploads/:upload",
    { schema: { params: uploadParams, response: { 204: { type: "null" } } }, logLevel: "warn" },
    async (request, reply) => {
      const { uploads } = await peerOf(gateway, request);
      await uploads.abort(request.params.upload);
      void reply.status(204);
      return null;
    },
  );
}

/** @throws HoldfastError usage without Content-Length; limit-exceeded, and then the connection ends with the answer */
function declaredLength(request: FastifyRequest, reply: FastifyReply, bytesMax: number): number {
  const declared = request.headers["content-length"];
  if (declared === undefined) throw new HoldfastError(ErrorCode.usage, "the body's length must be declared");
  const length = Number(declared);
  if (length <= bytesMax) return length;
  // Nobody reads such a body to its end only to throw it away.
  void reply.header("connection", "close");
  throw new HoldfastError(
    ErrorCode.limitExceeded,
    `a body of ${length} bytes is declared, at most ${bytesMax}: longer objects come in parts`,
  );
}

/** @throws HoldfastError usage */
function declaredHash(request: FastifyRequest): string {
  const hash = request.headers[objectHashHeader];
  if (typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new HoldfastError(ErrorCode.usage, "a PUT needs Holdfast-SHA256: 64 hex digits");
}
