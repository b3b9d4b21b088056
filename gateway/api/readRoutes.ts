// Routes that hand out what is stored: records by id, whole packs, presence, and the report of wrong records.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { parseGroupIds } from "../../ingest/wire/idList.ts";
import type { SuspectAnswer, SuspectRequest } from "../../ingest/wire/messages.ts";
import { octetStream, wireLimits } from "../../ingest/wire/protocol.ts";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { closedPackPath } from "../store/packPaths.ts";
import { deviceOf, vaultOf } from "./access.ts";
import { closedSignal } from "./closedSignal.ts";
import { parseRange } from "./range.ts";
import { type ReadSlots, sendRecords } from "./recordStream.ts";
import { array, binaryAnswer, count, group, longId, name, nullable, object, shortId } from "./schemas.ts";

type VaultParams = { Params: { vault: string } };
const vaultParams = object({ vault: shortId });

/** The file of a closed pack, or what takes its place when it is in replicas alone. */
async function packOf(
  { store }: OpenVault,
  name: Uint8Array,
  path: string,
): Promise<{ size: number; read: (first: number, last: number) => Promise<Readable> } | undefined> {
  const ordinal = store.packs.ordinalOf(name);
  if (ordinal === undefined) return undefined;
  const file = await stat(path).catch(() => undefined);
  if (file !== undefined) {
    return { size: file.size, read: async (start, end) => createReadStream(path, { start, end }) };
  }
  const row = store.packs.get(ordinal);
  if (row?.state !== "evicted") return undefined;
  return {
    size: row.bytes,
    read: async (first, last) => {
      const pieces = store.readEvictedPack(row, first, last);
      // A replica that is away is an answer of its own, not a body that breaks off.
      const begun = await pieces.next();
      const all = begun.done ? pieces : withFirst(begun.value, pieces);
      return Readable.from(all, { objectMode: false });
    },
  };
}

async function* withFirst(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

export function readRoutes(app: FastifyInstance, gateway: Gateway, slots: ReadSlots): void {
  app.post<VaultParams & { Body: Buffer }>(
    "/v1/vaults/:vault/read",
    {
      bodyLimit: 4 + wireLimits.idsPerRead * 32,
      schema: { params: vaultParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      const asked = parseGroupIds(request.body, wireLimits.idsPerRead);
      const signal = closedSignal(request, reply);
      await slots.take(signal);
      try {
        reply.hijack();
        const about = (index: number): Record<string, unknown> =>
          vault.about(asked.group, asked.ids.subarray(index * Width.id, (index + 1) * Width.id));
        const records = vault.read(asked.group, asked.ids);
        await sendRecords({ response: reply.raw, records, about, log: request.log, signal });
      } finally {
        slots.free();
      }
    },
  );

  app.post<VaultParams & { Body: Buffer }>(
    "/v1/vaults/:vault/exists",
    {
      bodyLimit: 4 + wireLimits.haveBytes,
      schema: { params: vaultParams, response: binaryAnswer },
      logLevel: "warn",
    },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      const asked = parseGroupIds(request.body, wireLimits.idsPerHave);
      return reply.type(octetStream).send(vault.present(asked.group, asked.ids));
    },
  );

  app.get<{ Params: { vault: string; sha256: string } }>(
    "/v1/vaults/:vault/packs/:sha256",
    { schema: { params: object({ vault: shortId, sha256: longId }), response: binaryAnswer } },
    async (request, reply) => {
      const vault = await vaultOf(gateway, request, request.params.vault);
      const packName = fromHex(request.params.sha256, 32);
      const pack = await packOf(vault, packName, closedPackPath(gateway.vaultDirectory(vault.id), packName));
      if (pack === undefined) throw new HoldfastError(ErrorCode.notFound, "no such pack");
      const { size } = pack;
      const range = parseRange(request.headers.range, size);
      void reply.header("accept-ranges", "bytes").type(octetStream);
      if (range === "unsatisfiable") {
        return reply.status(416).header("content-range", `bytes */${size}`).send("");
      }
      const { first, last } = range ?? { first: 0, last: size - 1 };
      const body = await pack.read(first, last);
      if (range !== undefined) {
        void reply.status(206).header("content-range", `bytes ${first}-${last}/${size}`);
      }
      return reply.header("content-length", last - first + 1).send(body);
    },
  );

  app.post<VaultParams & { Body: SuspectRequest }>(
    "/v1/vaults/:vault/suspect",
    {
      schema: {
        params: vaultParams,
        body: object({ group, ids: { ...array(longId), maxItems: wireLimits.idsPerSuspect } }),
        response: { 200: object({ quarantined: count, writers: array(nullable(object({ device: name }))) }) },
      },
    },
    async (request): Promise<SuspectAnswer> => {
      const device = deviceOf(request);
      const vault = await vaultOf(gateway, request, request.params.vault);
      // A device speaks for its own group only: it must not make another group's records disappear.
      if (request.body.group !== device.group)
        throw new HoldfastError(ErrorCode.forbidden, "not this device's group");
      const ids = request.body.ids.map((id) => fromHex(id, 32));
      return await vault.quarantine(device.group, ids, device.id);
    },
  );
}
