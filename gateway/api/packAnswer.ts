// A closed pack as an HTTP answer, whole or a range of it, from its file or from a replica.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { octetStream } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { closedPackPath } from "../store/packPaths.ts";
import { parseRange } from "./range.ts";

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

/** Answers with the pack of this name (32 bytes). @throws HoldfastError not-found */
export async function sendPack(
  gateway: Gateway,
  vault: OpenVault,
  name: Uint8Array,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const pack = await packOf(vault, name, closedPackPath(gateway.vaultDirectory(vault.id), name));
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
}

async function* withFirst(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}
