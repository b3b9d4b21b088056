// Replicas over the admin socket.

import type { FastifyInstance } from "fastify";
import type { JobWatch } from "../admin/job.ts";
import type {
  NewReplica,
  ReplicaEraseRequest,
  ReplicaOperations,
  ReplicaRemoveRequest,
  ReplicaRunProgress,
  ReplicaRunRequest,
  ReplicaVerifyRequest,
} from "../admin/replicaOperations.ts";
import type { Gateway } from "../gateway.ts";
import type { EraseProgress } from "../removal/eraseRemains.ts";
import type { VerifyProgress } from "../replica/verify/verifyReplica.ts";
import { jobRoute } from "./jobRoute.ts";
import { flag, object } from "./schemas.ts";

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const longText = { type: "string", minLength: 1, maxLength: 4096 } as const;
const table = { type: "string", maxLength: 1000 } as const;
const days = { type: "integer", minimum: 0, maximum: 36_500 } as const;

const options = {
  endpoint: longText,
  region: text,
  pathStyle: flag,
  caFile: longText,
  credentialsFile: longText,
  profile: text,
  rootUrl: longText,
  lockDays: object({ packs: days, metadata: days }),
};

const newReplica = object(
  {
    name: text,
    url: longText,
    options: object(options, Object.keys(options)),
    bandwidth: table,
    schedule: table,
    parallel: { type: "integer", minimum: 1, maximum: 64 },
    fingerprint: text,
  },
  ["fingerprint"],
);

export function replicaRoutes(app: FastifyInstance, gateway: Gateway, operations: ReplicaOperations): void {
  app.post<{ Body: NewReplica }>("/replicas", { schema: { body: newReplica } }, async (request, reply) => {
    const replica = await operations.add(request.body);
    gateway.logger.info({ replica: replica.name, url: replica.url, notes: replica.notes }, "replica added");
    void reply.status(201);
    return replica;
  });
  app.get<{ Querystring: { name?: string } }>(
    "/replicas",
    { schema: { querystring: object({ name: text }, ["name"]) } },
    async (request) => await operations.status(request.query.name),
  );
  jobRoute(
    app,
    gateway,
    "/replicas/run",
    object({ name: text, takeOver: flag }),
    (body: ReplicaRunRequest, watch: JobWatch<ReplicaRunProgress>) => operations.run(body, watch),
  );
  jobRoute(
    app,
    gateway,
    "/replicas/verify",
    object({ name: text, sharePercent: { type: "number", exclusiveMinimum: 0, maximum: 100 }, heal: flag }),
    (body: ReplicaVerifyRequest, watch: JobWatch<VerifyProgress>) => operations.verify(body, watch),
  );
  jobRoute(
    app,
    gateway,
    "/replicas/remove",
    object({ name: text, abandon: flag }),
    async (body: ReplicaRemoveRequest, watch: JobWatch<{ readonly fetchedPacks: number }>) => {
      const done = await operations.remove(body, watch);
      gateway.logger.info({ replica: body.name, ...done }, "replica removed");
      return done;
    },
  );
  jobRoute(
    app,
    gateway,
    "/replicas/erase",
    object({ name: text, dryRun: flag }),
    (body: ReplicaEraseRequest, watch: JobWatch<EraseProgress>) => operations.erase(body, watch),
  );
}
