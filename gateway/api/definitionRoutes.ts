// What a device reads of its own items' definitions, and what it tells of runs that did not come about (docs/schedules.md).

import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import {
  type DefinitionsAnswer,
  type EstimateRequest,
  type ReportRequest,
  reportOutcomes,
} from "../../ingest/wire/messages.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { ErrorCode, type ErrorCode as ErrorCodeText } from "../../vault/errors.ts";
import { definitionsOf } from "../admin/itemAdministration.ts";
import { requireNoBox } from "../admin/requestChecks.ts";
import { noDefinition } from "../catalog/itemDefinitions.ts";
import type { Gateway } from "../gateway.ts";
import { deviceOf, principalOf } from "./access.ts";
import { array, count, document, flag, name, object, shortId } from "./schemas.ts";

const revision = { ...count, minimum: 1 } as const;
const item = object({ id: shortId, name, revision, definition: document, estimate: { const: true } }, [
  "estimate",
]);
const report = object({
  due: { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$" },
  outcome: { enum: [...reportOutcomes] },
  code: { enum: Object.values(ErrorCode) },
  message: { type: "string", maxLength: wireLimits.reportCharacters },
});

export function definitionRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.get(
    "/v1/definitions",
    {
      schema: { response: { 200: object({ items: array(item) }), 304: { type: "null" } } },
      logLevel: "warn",
    },
    async (request, reply) => {
      const device = deviceOf(request);
      requireNoBox(
        gateway.dataDir,
        "which says what is backed up, and when",
        "What is known there stays in force.",
      );
      const vault = await gateway.vault(device.vault);
      const rows = definitionsOf(vault, device.id);
      const answer: DefinitionsAnswer = {
        items: rows.map(({ id, name: itemName, head, ...row }) => ({
          ...{ id, name: itemName, revision: row.revision, definition: row.definition },
          ...(head === null && vault.catalog.definitions.estimate(id) === undefined && { estimate: true }),
        })),
      };
      const hash = createHash("sha256").update(JSON.stringify(answer)).digest("base64url");
      const etag = `"${hash}"`;
      void reply.header("etag", etag);
      if (request.headers["if-none-match"] === etag) return await reply.status(304).send();
      return answer;
    },
  );

  app.post<{ Params: { name: string }; Body: ReportRequest & { code: ErrorCodeText } }>(
    "/v1/items/:name/reports",
    { schema: { params: object({ name: { type: "string", maxLength: 200 } }), body: report } },
    async (request, reply) => {
      const { device, vault, row } = await definedItem(gateway, request);
      const { body } = request;
      const subject = `${principalOf(request).account.name}/${device.name}/${row.name}`;
      const job = body.outcome === "held" ? null : noteReport(gateway, row.id, subject, body);
      const at = gateway.now().toISOString();
      vault.store.environment.write(() => vault.catalog.definitions.setReport(row.id, { ...body, at, job }));
      return await reply.status(204).send();
    },
  );

  app.put<{ Params: { name: string }; Body: EstimateRequest }>(
    "/v1/items/:name/estimate",
    {
      schema: {
        params: object({ name: { type: "string", maxLength: 200 } }),
        body: object({ revision, files: count, bytes: count, complete: flag }),
      },
    },
    async (request, reply) => {
      const { vault, row } = await definedItem(gateway, request);
      const at = gateway.now().toISOString();
      vault.store.environment.write(() =>
        vault.catalog.definitions.setEstimate(row.id, { ...request.body, at }),
      );
      return await reply.status(204).send();
    },
  );
}

/** The asking device's item that a request names. @throws HoldfastError usage, not-found where nothing says what it backs up */
async function definedItem(gateway: Gateway, request: FastifyRequest<{ Params: { name: string } }>) {
  const device = deviceOf(request);
  const name = checkName(request.params.name, "item");
  const vault = await gateway.vault(device.vault);
  const row = definitionsOf(vault, device.id).find((each) => each.name === name);
  if (row === undefined) throw noDefinition();
  return { device, vault, row };
}

/** The row of the history: that of its session, where it came to one. */
function noteReport({ jobs }: Gateway, item: string, subject: string, report: ReportRequest): number {
  const { outcome, due, code, message } = report;
  const known = outcome === "failed" ? jobs.backups.failedSince(item, Date.parse(due)) : undefined;
  if (known !== undefined) return known;
  const job = jobs.begin({ kind: "backup", subject });
  jobs.end(job, "failed", { failure: { code, message, next: null } });
  return job;
}
