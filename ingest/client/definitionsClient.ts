// What `agent run` asks of a gateway, and nothing else: so little that a scheduler which sleeps most of the time stays small. Nothing is
// repeated: the next look comes anyway.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Line } from "../line/line.ts";
import type { EstimateRequest, ReportRequest } from "../wire/messages.ts";
import { wireLimits } from "../wire/protocol.ts";
import { ConnectionLost, type Exchange, errorOf, readBody, send } from "./exchange.ts";
import { openConnection, type SpokenConnection } from "./openConnection.ts";

/** `etag`: what says "unchanged" next time. `value`: parsed JSON, as it came. */
export type DefinitionsRead = { readonly etag: string | null; readonly value: unknown };

export type DefinitionsAddress = {
  readonly url: string;
  readonly fingerprint: string;
  readonly token: string;
  readonly line?: Line | undefined;
};

const etagCharactersMax = 200;
/** A scheduler can look again later. */
const idleMs = 30_000;

export class DefinitionsClient {
  readonly #connection: SpokenConnection;

  constructor({ url, fingerprint, token, line }: DefinitionsAddress) {
    this.#connection = openConnection({ url, fingerprint, token, socketsMax: 1, line });
  }

  /**
   * Undefined where nothing changed since `etag`.
   * @throws HoldfastError gateway-unreachable, fingerprint-mismatch, token-invalid, forbidden (a box), not-found (an older gateway), protocol, cancelled
   */
  async definitions(etag: string | null, signal: AbortSignal): Promise<DefinitionsRead | undefined> {
    const headers = etag === null ? {} : { "if-none-match": etag };
    const answer = await this.#ask({ method: "GET", path: "/v1/definitions", headers, signal });
    if (answer.status === 304) return undefined;
    try {
      return { etag: answer.etag, value: JSON.parse(answer.body.toString("utf8")) };
    } catch (cause) {
      throw new HoldfastError(ErrorCode.protocol, "the gateway's answer is not JSON", { cause });
    }
  }

  /** @throws HoldfastError as `definitions`; not-found: the item has no definition any more */
  async report(item: string, json: ReportRequest, signal: AbortSignal): Promise<void> {
    await this.#ask({ method: "POST", path: `/v1/items/${encodeURIComponent(item)}/reports`, json, signal });
  }

  /** @throws HoldfastError as `report`; sequence-conflict: it has another definition by now */
  async estimate(item: string, json: EstimateRequest, signal: AbortSignal): Promise<void> {
    await this.#ask({ method: "PUT", path: `/v1/items/${encodeURIComponent(item)}/estimate`, json, signal });
  }

  async #ask(exchange: Exchange): Promise<{ status: number; etag: string | null; body: Buffer }> {
    try {
      const response = await send(this.#connection, { ...exchange, idleMs });
      const body = await readBody(response, exchange.signal, wireLimits.definitionsBytes);
      const status = response.statusCode ?? 0;
      if (status >= 400) throw errorOf(status, body);
      const { etag = null } = response.headers;
      return { status, etag: etag !== null && etag.length <= etagCharactersMax ? etag : null, body };
    } catch (cause) {
      const { spoken, url } = this.#connection;
      if (spoken.heed(cause, url.origin)) return await this.#ask(exchange);
      if (!(cause instanceof ConnectionLost)) throw cause;
      throw new HoldfastError(
        ErrorCode.gatewayUnreachable,
        `no gateway answers at ${this.#connection.url.origin}: ${cause.message}`,
        { cause },
      );
    }
  }

  close(): void {
    this.#connection.agent.destroy();
  }
}
