// A box that is read over the network, while it runs where it was taken.

import { type Connection, errorOf, readBody, send } from "../../../ingest/client/exchange.ts";
import { PinnedAgent } from "../../../ingest/client/pinnedAgent.ts";
import { pauseBeforeRetry } from "../../../ingest/client/retry.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { FoundPack, PackSource } from "./packSources.ts";

const triesMax = 9;
const socketsMax = 4;
const connectTimeoutMs = 15_000;

export class NetworkSource implements PackSource {
  readonly name: string;
  readonly #connection: Connection;
  readonly #signal: AbortSignal;

  /** `fingerprint`: of the box's TLS key, as it was prepared. */
  constructor(url: string, fingerprint: string, token: string, signal: AbortSignal) {
    this.name = url;
    const agent = new PinnedAgent({ fingerprint, socketsMax, connectTimeoutMs });
    this.#connection = { agent, url: new URL(url), token };
    this.#signal = signal;
  }

  async read(vault: string, pack: { readonly name: Uint8Array; readonly bytes: number }): Promise<FoundPack> {
    const request = {
      method: "GET",
      path: `/v1/carried/${vault}/packs/${toHex(pack.name)}`,
      signal: this.#signal,
    } as const;
    for (let tries = 1; ; tries++) {
      try {
        const response = await send(this.#connection, request);
        const status = response.statusCode ?? 0;
        // One byte more than there may be is enough to know.
        const bytes = await readBody(response, this.#signal, status < 400 ? pack.bytes : undefined);
        if (status >= 400) throw errorOf(status, bytes);
        return bytes.length === pack.bytes
          ? { bytes }
          : { why: `it sent ${bytes.length} bytes and not ${pack.bytes}` };
      } catch (error) {
        if (isPackFailure(error)) return { why: error.message };
        await pauseBeforeRetry(error, { request, tries, triesMax, origin: this.name }).catch(
          (thrown: unknown) => {
            throw isHoldfastError(thrown, ErrorCode.gatewayUnreachable) ? gone(this.name, thrown) : thrown;
          },
        );
      }
    }
  }

  async custody(): Promise<undefined> {
    return undefined;
  }

  async strays(): Promise<string[]> {
    return [];
  }

  close(): void {
    this.#connection.agent.destroy();
  }
}

/** What concerns this pack alone. */
function isPackFailure(error: unknown): error is HoldfastError {
  const codes: readonly string[] = [
    ErrorCode.notFound,
    ErrorCode.ioError,
    ErrorCode.protocol,
    ErrorCode.internal,
  ];
  return isHoldfastError(error) && codes.includes(error.code);
}

function gone(name: string, cause: HoldfastError): HoldfastError {
  return new HoldfastError(
    ErrorCode.seedSourceGone,
    `the box at ${name} does not answer (any more): ${cause.message}`,
    {
      next: "Run it and its network, then this command again: it goes on where it stopped.",
      cause,
    },
  );
}
