// Routes for boxes at their datacentre (docs/protocol.md, "Boxes").

import type { FastifyInstance, FastifyRequest } from "fastify";
import { octetStream } from "../../ingest/wire/protocol.ts";
import {
  type ReopenAnswer,
  type SealAnswer,
  type SeedAnswer,
  seedPartBytesMax,
} from "../../ingest/wire/seed.ts";
import { limits } from "../../vault/limits.ts";
import { type SeedListName, seedLists } from "../../vault/seed/manifest.ts";
import type { BoxRow } from "../catalog/boxes.ts";
import type { Gateway } from "../gateway.ts";
import { bytesOf } from "./binaryBody.ts";
import { array, count, flag, object, shortId } from "./schemas.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set on the routes of boxes before any handler runs. */
    box: BoxRow | undefined;
  }
}

/** An answer comes before anything between the two gives up waiting. */
const waitMs = 20_000;

const listPlace = object({ vault: shortId, list: { enum: [...seedLists] } });
type ByList = {
  Params: { vault: string; list: SeedListName };
  Querystring: { seal: number; offset: number };
};

const sealAnswer = object({
  accepted: flag,
  missing: array(object({ vault: shortId, list: { type: "string" }, bytes: count, have: count })),
});

/** All routes of boxes, below an app of their own. */
export async function seedRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  app.decorateRequest("box", undefined);
  app.addHook("onRequest", async (request) => {
    const match = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(request.headers.authorization ?? "");
    request.box = gateway.seals.authenticate(match?.[1] ?? "");
  });
  app.addContentTypeParser(octetStream, { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  const note = async (request: FastifyRequest, event: "box.promised" | "box.reopened"): Promise<void> => {
    const { number, id, name } = boxOf(request);
    const actor = { kind: "box", box: String(number), id, name } as const;
    const seal = gateway.catalog.boxes.get(number)?.seal?.seal ?? null;
    await gateway.audit.record({
      event,
      outcome: "done",
      actor,
      address: request.from,
      subject: { box: number, seal },
    });
  };

  app.get(
    "/v1/seed",
    { schema: { response: { 200: object({ box: count, state: { type: "string" }, seal: count }) } } },
    async (request): Promise<SeedAnswer> => {
      const { number, state, seal } = boxOf(request);
      return { box: number, state, seal: seal?.seal ?? 0 };
    },
  );
  app.post<{ Body: Buffer }>(
    "/v1/seed/manifest",
    { bodyLimit: limits.signedBytesMax, schema: { response: { 200: sealAnswer } } },
    async (request): Promise<SealAnswer> => {
      const answer = await gateway.seals.submit(boxOf(request), bytesOf(request.body), waitMs);
      if (answer.accepted) await note(request, "box.promised");
      return answer;
    },
  );
  app.post<{ Body: { seal: number } }>(
    "/v1/seed/reopened",
    {
      schema: {
        body: object({ seal: count }),
        response: {
          200: object({
            homes: array(
              object({ account: shortId, record: { type: "string" }, recall: { type: "string" } }),
            ),
          }),
        },
      },
    },
    async (request): Promise<ReopenAnswer> => {
      const answer = await gateway.seals.reopen(boxOf(request), request.body.seal);
      await note(request, "box.reopened");
      return answer;
    },
  );
  app.put<ByList & { Body: Buffer }>(
    "/v1/seed/lists/:vault/:list",
    {
      bodyLimit: seedPartBytesMax,
      schema: {
        params: listPlace,
        querystring: object({ seal: count, offset: count }),
        response: { 200: object({ bytes: count }) },
      },
      logLevel: "warn",
    },
    async (request) =>
      await gateway.seals.part(
        boxOf(request),
        { ...request.params, ...request.query },
        bytesOf(request.body),
      ),
  );
}

function boxOf(request: FastifyRequest): BoxRow {
  if (request.box === undefined) throw new Error("a handler ran without authentication");
  return request.box;
}
