// A box speaks to its datacentre: with its token, to the pinned key, at the first address that answers.

import { type Connection, type Exchange, errorOf, readBody, send } from "../../../ingest/client/exchange.ts";
import { PinnedAgent } from "../../../ingest/client/pinnedAgent.ts";
import { pauseBeforeRetry } from "../../../ingest/client/retry.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { OpenedBox } from "../boxDirectory.ts";

/** One request, repeated where that helps, and its JSON answer. */
export type Ask = <T>(exchange: Exchange) => Promise<T>;

const triesMax = 8;

/**
 * Runs `work` with the first of the datacentre's addresses at which it answers.
 * @throws HoldfastError usage where the box knows none; gateway-unreachable, fingerprint-mismatch, cancelled; what the datacentre refuses with
 */
export async function withDatacentre<Result>(
  { secrets }: OpenedBox,
  signal: AbortSignal,
  work: (ask: Ask, url: string) => Promise<Result>,
): Promise<Result> {
  const { urls, fingerprint } = secrets.datacentre;
  let failure: unknown = new HoldfastError(
    ErrorCode.usage,
    "this box does not know where its datacentre is",
    {
      next: "Write the manifest to a file: `holdfast seed seal --offline --manifest-out FILE`.",
    },
  );
  for (const url of urls) {
    const agent = new PinnedAgent({ fingerprint, socketsMax: 1, connectTimeoutMs: 15_000 });
    const connection = { agent, url: new URL(url), token: secrets.token };
    try {
      return await work((exchange) => exchangeJson(connection, { ...exchange, signal }), url);
    } catch (error) {
      const elsewhere = [ErrorCode.gatewayUnreachable, ErrorCode.fingerprintMismatch] as const;
      if (!elsewhere.some((code) => isHoldfastError(error, code))) throw error;
      failure = error;
    } finally {
      agent.destroy();
    }
  }
  throw failure;
}

async function exchangeJson<T>(connection: Connection, request: Exchange): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      const response = await send(connection, request);
      const body = await readBody(response, request.signal);
      if ((response.statusCode ?? 0) >= 400) throw errorOf(response.statusCode ?? 0, body);
      return JSON.parse(body.toString()) as T;
    } catch (error) {
      await pauseBeforeRetry(error, { request, tries, triesMax, origin: connection.url.origin });
    }
  }
}
