// Routes about items and snapshots: which there are, their objects, and waiting for new ones.

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { EventsAnswer, ItemAnswer, ItemRow, SnapshotRow } from "../../ingest/wire/messages.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { type ListFilter, listItems, listNewest, listSnapshots } from "../snapshotLists.ts";
import { actorOf, appenderOf, deviceOf, principalOf } from "./access.ts";
import { closedSignal } from "./closedSignal.ts";
import {
  array,
  binaryAnswer,
  count,
  flag,
  group,
  longId,
  name,
  nullable,
  object,
  shortId,
  time,
} from "./schemas.ts";

const item = { id: shortId, name, sequence: count, head: nullable(longId) };
const newest = { type: "integer", minimum: 1, maximum: wireLimits.newestSnapshots } as const;
const filterName = { type: "string", maxLength: 200 } as const;

export function snapshotRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.put<{ Params: { name: string } }>(
    "/v1/items/:name",
    {
      schema: {
        params: object({ name: filterName }),
        body: object({}),
        response: { 200: object(item) },
      },
    },
    async (request): Promise<ItemAnswer> => {
      const device = deviceOf(request);
      gateway.homes.requireHere(device.account, device.id);
      const vault = await gateway.vault(device.vault);
      const row = vault.catalog.ensureItem(device.id, checkName(request.params.name, "item"));
      return { id: row.id, name: row.name, sequence: row.sequence, head: row.head };
    },
  );

  app.get<{ Querystring: { device?: string } }>(
    "/v1/items",
    {
      schema: {
        querystring: object({ device: filterName }, ["device"]),
        response: { 200: array(object({ ...item, device: name })) },
      },
    },
    async (request): Promise<ItemRow[]> =>
      await listItems(gateway, principalOf(request).account.id, seenBy(request, request.query)),
  );

  app.get<{ Querystring: { device?: string; item?: string; newest?: number } }>(
    "/v1/snapshots",
    {
      schema: {
        querystring: object({ device: filterName, item: filterName, newest }, ["device", "item", "newest"]),
        response: {
          200: array(
            object(
              {
                id: longId,
                vault: shortId,
                deviceId: shortId,
                device: name,
                itemId: shortId,
                item: name,
                group,
                sequence: count,
                received: time,
                incomplete: flag,
                pending: array(count),
              },
              ["pending"],
            ),
          ),
        },
      },
    },
    async (request): Promise<SnapshotRow[]> => {
      const account = principalOf(request).account.id;
      const { newest: most, ...named } = request.query;
      const filter = seenBy(request, named);
      return most === undefined
        ? await listSnapshots(gateway, account, filter)
        : await listNewest(gateway, account, filter, most);
    },
  );

  app.get<{ Params: { id: string } }>(
    "/v1/snapshots/:id/object",
    { schema: { params: object({ id: longId }), response: binaryAnswer } },
    async (request, reply) => {
      for (const vault of await gateway.vaultsOf(principalOf(request).account.id)) {
        const snapshot = vault.catalog.snapshot(request.params.id);
        if (snapshot === undefined || vault.catalog.retention.isInTrash(snapshot.id)) continue;
        const appender = appenderOf(request);
        const head = vault.catalog.item(snapshot.item)?.head;
        // It builds on the newest one of its own items, and needs no other.
        if (appender !== undefined && (snapshot.device !== appender.id || head !== snapshot.id)) continue;
        gateway.audit.reads.read({ ...actorOf(request), snapshot: snapshot.id });
        return reply.type(octetStream).send(await vault.snapshotObject(snapshot));
      }
      throw new HoldfastError(ErrorCode.notFound, "no such snapshot");
    },
  );

  app.get<{ Querystring: { since: number } }>(
    "/v1/events",
    {
      schema: {
        querystring: object({ since: count }),
        response: { 200: object({ next: count, changed: flag }) },
      },
      logLevel: "warn",
    },
    async (request, reply): Promise<EventsAnswer> => {
      const account = principalOf(request).account.id;
      const { since } = request.query;
      const waiting = gateway.changes.wait(
        account,
        wireLimits.eventsWaitMs,
        closedSignal(request.raw, reply.raw),
      );
      let next = await gateway.changeNumber(account);
      if (next === since) {
        await waiting;
        next = await gateway.changeNumber(account);
      }
      return { next, changed: next !== since };
    },
  );
}

/** What was asked for, of an append-only device its own alone. */
function seenBy(request: FastifyRequest, named: ListFilter): ListFilter {
  const appender = appenderOf(request);
  return appender === undefined ? named : { ...named, deviceId: appender.id };
}
