// Boxes over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type { PrepareRequest, SeedOperations } from "../admin/seedOperations.ts";
import type { Gateway } from "../gateway.ts";
import type { AcceptProgress } from "../seed/acceptSeal.ts";
import type { ExtendRequest } from "../seed/extendBox.ts";
import type { ReopenProgress } from "../seed/seal/reopenBox.ts";
import type { SealProgress, SealRequest } from "../seed/seal/sealBox.ts";
import type { SendProgress } from "../seed/send/sendSeal.ts";
import { jobRoute } from "./jobRoute.ts";
import { array, base64, boxNumber, count, flag, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const path = { type: "string", pattern: "^/", maxLength: 4096 } as const;
const url = { type: "string", minLength: 1, maxLength: 1000 } as const;
const note = { type: "string", maxLength: 1000 } as const;

const prepareBody = object(
  {
    directory: path,
    accounts: array(text),
    devices: array(text),
    listen: text,
    urls: array(url),
    datacentreUrls: array(url),
    name: text,
    by: note,
    key: object({
      kdf: object({ suite: { const: 1 }, iterations: count, salt: base64(32) }),
      r: base64(24),
    }),
  },
  ["name", "key"],
);

export function seedAdminRoutes(app: FastifyInstance, gateway: Gateway, operations: SeedOperations): void {
  app.post<{ Body: PrepareRequest }>("/seed/prepare", { schema: { body: prepareBody } }, async (request) => {
    const answer = await operations.prepare(request.body);
    if (answer.box !== null) gateway.logger.info({ box: answer.box.number }, "box prepared");
    return answer;
  });
  jobRoute(
    app,
    gateway,
    "/seed/seal",
    object({ by: note, dryRun: flag }),
    (body: SealRequest, watch: JobWatch<SealProgress>) => operations.seal(body, watch),
  );
  jobRoute(
    app,
    gateway,
    "/seed/reopen",
    object({ by: note }),
    (body: { by: string }, watch: JobWatch<ReopenProgress>) => operations.reopen(body.by, watch),
  );
  jobRoute(app, gateway, "/seed/send", object({}), (_body: object, watch: JobWatch<SendProgress>) =>
    operations.send(watch),
  );
  jobRoute(
    app,
    gateway,
    "/seed/promise",
    object({ file: path }),
    (body: { file: string }, watch: JobWatch<AcceptProgress>) => operations.promise(body.file, watch),
  );
  jobRoute(
    app,
    gateway,
    "/seed/look",
    object({ file: path }),
    (body: { file: string }, watch: JobWatch<AcceptProgress>) => operations.look(body.file, watch),
  );
  app.get(
    "/seed/read-rate",
    { schema: { querystring: object({}) } },
    async () => await operations.readRate(),
  );
  app.get<{ Querystring: { number?: number } }>(
    "/seed/status",
    { schema: { querystring: object({ number: boxNumber }, ["number"]) } },
    async (request) => await operations.status(request.query.number),
  );
  app.post<{ Body: ExtendRequest }>(
    "/seed/extend",
    { schema: { body: object({ disk: path, by: note }) } },
    async (request) => await operations.extend(request.body),
  );
  app.get("/seed/custody", { schema: { querystring: object({}) } }, async () => await operations.custody());
  app.post<{ Body: { note: string; by: string } }>(
    "/seed/custody",
    { schema: { body: object({ note, by: note }) } },
    async (request) => await operations.custody(request.body),
  );
}
