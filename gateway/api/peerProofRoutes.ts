// What peers have us prove: receipts, challenges, and what they use (docs/protocol.md, "Peers").

import type { FastifyInstance, FastifyRequest } from "fastify";
import {
  type ChallengeAnswer,
  type ChallengeRequest,
  type PeerUsageAnswer,
  peerLimits,
  type ReceiptsAnswer,
  type ReceiptsRequest,
} from "../../ingest/wire/peer.ts";
import { fromHex } from "../../vault/bytes.ts";
import type { Gateway } from "../gateway.ts";
import { hmacFile } from "../peer/incoming.ts";
import { readKey } from "../peer/keyForm.ts";
import { signReceipts } from "../peer/signReceipts.ts";
import { closedSignal } from "./closedSignal.ts";
import { peerOf } from "./peerAccess.ts";
import { array, count, longId, nullable, object, shortId } from "./schemas.ts";

/** Looking for every pack of a large root, or reading many for a challenge. */
const patienceMs = 15 * 60_000;

const text = { type: "string" } as const;
const keyText = { type: "string", minLength: 1, maxLength: peerLimits.keyBytesMax } as const;

export function peerProofRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { peers } = gateway;

  app.get(
    "/v1/peer/usage",
    {
      schema: {
        response: {
          200: object({
            name: text,
            quotaBytes: nullable(count),
            usedBytes: count,
            objects: count,
            uploadBytes: count,
            holdSeconds: count,
            signer: longId,
          }),
        },
      },
    },
    async (request): Promise<PeerUsageAnswer> => {
      const { row } = await peerOf(gateway, request);
      const { bytes, objects } = peers.rows.totals(row.id);
      const { name, quotaBytes, holdSeconds } = row;
      const uploadBytes = peers.room.uploadBytes(row.id);
      return {
        name,
        quotaBytes,
        usedBytes: bytes,
        objects,
        uploadBytes,
        holdSeconds,
        signer: peers.signer.publicKey,
      };
    },
  );

  app.post<{ Params: { vault: string }; Body: ReceiptsRequest }>(
    "/v1/peer/vaults/:vault/receipts",
    {
      schema: {
        params: object({ vault: shortId }),
        body: object({
          replica: shortId,
          generation: { type: "integer", minimum: 1, maximum: 9_999_999_999 },
          root: longId,
          snapshots: { ...array(longId), minItems: 1, maxItems: peerLimits.snapshotsPerReceipt },
        }),
        response: { 200: object({ receipts: array(text) }) },
      },
    },
    async (request, reply): Promise<ReceiptsAnswer> => {
      const { folder, checks, row } = await peerOf(gateway, request);
      const { vault } = request.params;
      const signal = closedSignal(request.raw, reply.raw);
      const receipts = await patiently(request, () =>
        checks.run(() => signReceipts(folder, peers.signer, { ...request.body, vault }, signal)),
      );
      const { generation } = request.body;
      request.log.info({ peer: row.name, vault, generation, receipts: receipts.length }, "receipts signed");
      return { receipts };
    },
  );

  app.post<{ Body: ChallengeRequest }>(
    "/v1/peer/challenge",
    {
      schema: {
        body: object({
          nonce: longId,
          keys: { ...array(keyText), minItems: 1, maxItems: peerLimits.keysPerChallenge },
        }),
        response: { 200: object({ answers: array(nullable(longId)) }) },
      },
    },
    async (request, reply): Promise<ChallengeAnswer> => {
      const { folder, checks } = await peerOf(gateway, request);
      for (const key of request.body.keys) readKey(key);
      const nonce = fromHex(request.body.nonce, peerLimits.nonceBytes);
      const signal = closedSignal(request.raw, reply.raw);
      const answers: (string | null)[] = [];
      const answerAll = async (): Promise<void> => {
        for (const key of request.body.keys) {
          const found = await folder.find(key);
          answers.push(found === undefined ? null : await hmacFile(found.path, nonce, signal));
        }
      };
      await patiently(request, () => checks.run(answerAll));
      return { answers };
    },
  );
}

/** Runs long work of a request without its connection being taken for one that is dead. */
async function patiently<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> {
  const { socket } = request.raw;
  const { timeout = 0 } = socket;
  socket.setTimeout(patienceMs);
  try {
    return await work();
  } finally {
    socket.setTimeout(timeout);
  }
}
