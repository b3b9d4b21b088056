// What an append-only device may ask (docs/protocol.md): a list, so that a route which is added later is none of it until somebody says so.

import type { FastifyRequest } from "fastify";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { appenderOf } from "./access.ts";

/** Routes; those that list or hand out anything look at the device themselves. */
export const appendRoutes: readonly string[] = [
  "GET /v1/me",
  "GET /v1/home",
  "GET /v1/vaults/:vault/document",
  "GET /v1/vaults/:vault/keys",
  "PUT /v1/items/:name",
  "GET /v1/definitions",
  "POST /v1/items/:name/reports",
  "PUT /v1/items/:name/estimate",
  "GET /v1/items",
  "GET /v1/snapshots",
  "GET /v1/snapshots/:id/object",
  "POST /v1/sessions",
  "POST /v1/sessions/:session/have",
  "POST /v1/sessions/:session/whole",
  "POST /v1/sessions/:session/records",
  "POST /v1/sessions/:session/commit",
  "DELETE /v1/sessions/:session",
];

/** @throws HoldfastError forbidden where an append-only device asks what it may not */
export function refuseReading(request: FastifyRequest): void {
  const device = appenderOf(request);
  if (device === undefined) return;
  const method = request.method === "HEAD" ? "GET" : request.method;
  if (appendRoutes.includes(`${method} ${request.routeOptions.url}`)) return;
  throw new HoldfastError(
    ErrorCode.forbidden,
    `device ${device.name} is append-only: it adds backups, and reads nothing`,
    { next: "Restore with another device of the account: `holdfast agent restore --device NAME`." },
  );
}
