// Objects of peers: asking for them, listing and deleting them (docs/protocol.md, "Peers").

import { createReadStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { FastifyInstance } from "fastify";
import { type DeleteAnswer, type ListAnswer, objectHashHeader, peerLimits } from "../../ingest/wire/peer.ts";
import { octetStream } from "../../ingest/wire/protocol.ts";
import type { Gateway } from "../gateway.ts";
import { mayDelete } from "../peer/deletionGuard.ts";
import { checkPrefix, readKey } from "../peer/keyForm.ts";
import { objectsAfter } from "../peer/listing.ts";
import { notThere } from "../peer/peerFolder.ts";
import { peerOf } from "./peerAccess.ts";
import { parseRange } from "./range.ts";
import { array, binaryAnswer, count, nullable, object } from "./schemas.ts";

type ByKey = { Params: { "*": string } };
const text = { type: "string" } as const;
const keyText = { type: "string", minLength: 1, maxLength: peerLimits.keyBytesMax } as const;

export function peerObjectRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.head<ByKey>("/v1/peer/objects/*", { logLevel: "warn" }, async (request, reply) => {
    const { folder } = await peerOf(gateway, request);
    const key = request.params["*"];
    readKey(key);
    const found = await folder.find(key);
    if (found === undefined) throw notThere();
    void reply.header("content-length", found.bytes).header(objectHashHeader, found.sha256);
    return reply.type(octetStream).send("");
  });

  app.get<ByKey>(
    "/v1/peer/objects/*",
    { schema: { response: binaryAnswer }, exposeHeadRoute: false, logLevel: "warn" },
    async (request, reply) => {
      const { folder, reads } = await peerOf(gateway, request);
      const key = request.params["*"];
      readKey(key);
      return await reads.run(async () => {
        const found = await folder.find(key);
        if (found === undefined) throw notThere();
        const range = parseRange(request.headers.range, found.bytes);
        void reply.header("accept-ranges", "bytes").header(objectHashHeader, found.sha256).type(octetStream);
        if (range === "unsatisfiable") {
          return reply.status(416).header("content-range", `bytes */${found.bytes}`).send("");
        }
        const { first, last } = range ?? { first: 0, last: found.bytes - 1 };
        if (range !== undefined) {
          void reply.status(206).header("content-range", `bytes ${first}-${last}/${found.bytes}`);
        }
        const bytes = last - first + 1;
        void reply.header("content-length", bytes);
        if (bytes === 0) return reply.send("");
        void reply.send(createReadStream(found.path, { start: first, end: last }));
        // One that goes away in between has its answer cut; that is no failure of ours.
        await finished(reply.raw).catch(() => {});
        return reply;
      });
    },
  );

  app.delete<ByKey>(
    "/v1/peer/objects/*",
    { schema: { response: { 200: object({ outcome: { enum: ["deleted", "locked"] } }) } } },
    async (request): Promise<DeleteAnswer> => {
      const { folder, checks, row } = await peerOf(gateway, request);
      const key = request.params["*"];
      readKey(key);
      const holdMs = row.holdSeconds * 1000;
      const outcome = await checks.run(() =>
        folder.remove(key, (found) => mayDelete(folder, key, found, holdMs)),
      );
      request.log.info({ peer: row.name, key, outcome }, "peer asked to delete an object");
      return { outcome };
    },
  );

  app.get<{ Querystring: { prefix?: string; after?: string; limit?: number } }>(
    "/v1/peer/objects",
    {
      schema: {
        querystring: object(
          {
            prefix: { type: "string", maxLength: peerLimits.keyBytesMax },
            after: keyText,
            limit: { type: "integer", minimum: 1, maximum: peerLimits.keysPerList },
          },
          ["prefix", "after", "limit"],
        ),
        response: {
          200: object({ objects: array(object({ key: text, bytes: count })), next: nullable(text) }),
        },
      },
    },
    async (request): Promise<ListAnswer> => {
      const { folder, checks } = await peerOf(gateway, request);
      const { after, limit = peerLimits.keysPerList } = request.query;
      const prefix = checkPrefix(request.query.prefix ?? "");
      if (after !== undefined) readKey(after);
      return await checks.run(async () => {
        const objects: { key: string; bytes: number }[] = [];
        for await (const found of objectsAfter(folder.path, prefix, after)) {
          objects.push(found);
          if (objects.length === limit) return { objects, next: found.key };
        }
        return { objects, next: null };
      });
    },
  );
}
