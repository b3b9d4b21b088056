// A typed client of a gateway, one method per route of docs/protocol.md.
//
// Requests that may be repeated are repeated when the connection is lost or the gateway is busy, with growing pauses. `records`
// is not (a broken connection acknowledges nothing: ask `have` again), except when a kept-alive connection turned out
// to be closed before the gateway saw anything.

import type { IncomingMessage } from "node:http";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { RateLimiter } from "../line/rateLimiter.ts";
import { parseBitmap } from "../wire/bitmap.ts";
import { type BackupFigures, figuresHeaders } from "../wire/figures.ts";
import { encodeGroupIds, encodeIds } from "../wire/idList.ts";
import type * as messages from "../wire/messages.ts";
import { wireLimits } from "../wire/protocol.ts";
import type { ReadResult } from "../wire/readStream.ts";
import { encodeRecordBody } from "../wire/recordBody.ts";
import { parseRecordsAnswer, type RecordsAnswer } from "../wire/recordStatus.ts";
import { errorOf, readBody, send } from "./exchange.ts";
import { type ConnectionOptions, openConnection, type SpokenConnection } from "./openConnection.ts";
import { query } from "./query.ts";
import { readPieces, readResults } from "./readAnswer.ts";
import { pauseBeforeRetry, type RepeatableExchange } from "./retry.ts";

export type GatewayClientOptions = ConnectionOptions & {
  /** Tries of a request that may be repeated, 5 by default. */
  readonly triesMax?: number;
};

type CommitOptions = { readonly figures?: BackupFigures; readonly signal?: AbortSignal };
type Request = RepeatableExchange & { readonly answerBytesMax?: number };

export class GatewayClient {
  readonly #connection: SpokenConnection;
  readonly #triesMax: number;

  constructor(
    options: GatewayClientOptions | { readonly connection: SpokenConnection; readonly triesMax: number },
  ) {
    if ("connection" in options) {
      this.#connection = options.connection;
      this.#triesMax = options.triesMax;
      return;
    }
    this.#connection = openConnection(options);
    this.#triesMax = options.triesMax ?? 5;
  }

  /** The same gateway and connections with another token. */
  withToken(token: string): GatewayClient {
    return new GatewayClient({ connection: { ...this.#connection, token }, triesMax: this.#triesMax });
  }

  /** Closes idle and busy connections; also those of clients made by `withToken`. */
  close(): void {
    this.#connection.agent.destroy();
  }

  get #downloads(): RateLimiter | undefined {
    return this.#connection.line?.downloads;
  }

  /** Throws the error where the request may not be tried again. */
  #pause(error: unknown, request: Request, tries: number): Promise<void> {
    const { origin } = this.#connection.url;
    return pauseBeforeRetry(error, { request, tries, triesMax: this.#triesMax, origin });
  }

  /** Sends, repeats where that is allowed, and returns an answer of status below 400 whose body is still to be read. */
  async #send(request: Request): Promise<IncomingMessage> {
    for (let tries = 1; ; tries++) {
      try {
        const response = await send(this.#connection, request);
        if ((response.statusCode ?? 0) < 400) return response;
        throw errorOf(response.statusCode ?? 0, await readBody(response, request.signal));
      } catch (error) {
        // It was refused before anything of it was looked at.
        if (this.#connection.spoken.heed(error, this.#connection.url.origin)) continue;
        await this.#pause(error, request, tries);
      }
    }
  }

  /** Sends and reads the whole answer. A body that is cut short counts as a lost connection. */
  async #bytes(request: Request): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      const response = await this.#send(request);
      try {
        return await readBody(response, request.signal, request.answerBytesMax, this.#downloads);
      } catch (error) {
        await this.#pause(error, request, tries);
      }
    }
  }

  async #json<T>(request: Request): Promise<T> {
    const body = await this.#bytes(request);
    try {
      return JSON.parse(body.toString("utf8")) as T;
    } catch (cause) {
      throw new HoldfastError(ErrorCode.protocol, "the gateway's answer is not JSON", { cause });
    }
  }

  hello(): Promise<messages.HelloAnswer> {
    return this.#json({ method: "GET", path: "/v1/hello" });
  }

  directory(): Promise<messages.DirectoryAnswer> {
    return this.#json({ method: "GET", path: "/v1/directory", answerBytesMax: limits.rootBytesMax });
  }

  home(signal?: AbortSignal): Promise<messages.HomeAnswer> {
    return this.#json({ method: "GET", path: "/v1/home", answerBytesMax: 2 * limits.signedBytesMax, signal });
  }

  kdf(account: string): Promise<messages.KdfAnswer> {
    return this.#json({ method: "GET", path: `/v1/accounts/${encodeURIComponent(account)}/kdf` });
  }

  /** `l`: 24 bytes; `code`: where the account asks for one. Use the token with `withToken`. */
  login(account: string, l: Uint8Array, code?: string): Promise<messages.LoginAnswer> {
    const json: messages.LoginRequest = {
      ...{ account, l: Buffer.from(l).toString("base64") },
      ...(code !== undefined && { code }),
    };
    return this.#json({ method: "POST", path: "/v1/login", json, once: true });
  }

  me(): Promise<messages.MeAnswer> {
    return this.#json({ method: "GET", path: "/v1/me" });
  }

  /** vault.json, parsed JSON: check it with parseVaultDocument. */
  vaultDocument(vault: string): Promise<unknown> {
    return this.#json({ method: "GET", path: `/v1/vaults/${vault}/document` });
  }

  /** The newest keys document, parsed JSON: check it with parseKeysDocument. */
  keysDocument(vault: string): Promise<unknown> {
    return this.#json({ method: "GET", path: `/v1/vaults/${vault}/keys` });
  }

  enroll(json: messages.EnrollRequest): Promise<messages.EnrollAnswer> {
    return this.#json({ method: "POST", path: "/v1/devices", json, once: true });
  }

  /** With an invite's token, as `enrollInvited`. The same device may repeat both. */
  claimInvite(json: messages.ClaimRequest): Promise<messages.ClaimAnswer> {
    return this.#json({ method: "POST", path: "/v1/invites/claim", json });
  }

  enrollInvited(json: messages.InvitedEnrollRequest): Promise<messages.EnrollAnswer> {
    return this.#json({ method: "POST", path: "/v1/invites/enroll", json });
  }

  devices(): Promise<messages.DeviceRow[]> {
    return this.#json({ method: "GET", path: "/v1/devices" });
  }

  /** Finds or creates an item of this device. */
  putItem(name: string): Promise<messages.ItemAnswer> {
    return this.#json({ method: "PUT", path: `/v1/items/${encodeURIComponent(name)}`, json: {} });
  }

  items(filter: { readonly device?: string | undefined } = {}): Promise<messages.ItemRow[]> {
    return this.#json({ method: "GET", path: `/v1/items${query(filter)}` });
  }

  /** Newest first; with `newest` only the last of each item, at most so many. */
  snapshots(filter: messages.SnapshotFilter = {}): Promise<messages.SnapshotRow[]> {
    return this.#json({ method: "GET", path: `/v1/snapshots${query(filter)}` });
  }

  snapshotObject(id: string, signal?: AbortSignal): Promise<Buffer> {
    const answerBytesMax = limits.snapshotBytesMax;
    return this.#bytes({ method: "GET", path: `/v1/snapshots/${id}/object`, signal, answerBytesMax });
  }

  /** Waits up to 30 s for a change since `since`. */
  events(since: number, signal?: AbortSignal): Promise<messages.EventsAnswer> {
    return this.#json({
      method: "GET",
      path: `/v1/events?since=${since}`,
      signal,
      idleMs: wireLimits.eventsWaitMs * 2,
    });
  }

  startSession(json: messages.SessionRequest): Promise<messages.SessionAnswer> {
    return this.#json({ method: "POST", path: "/v1/sessions", json });
  }

  /** Bitmap of the ids (at most 16,384) that are here; read it with bitAt. */
  have(session: string, ids: readonly Uint8Array[], signal?: AbortSignal): Promise<Buffer> {
    return this.#bitmap(`/v1/sessions/${session}/have`, encodeIds(ids), ids.length, signal);
  }

  /** The same for ids with everything below them. Not found at a gateway that does not know the question. */
  whole(session: string, ids: readonly Uint8Array[], signal?: AbortSignal): Promise<Buffer> {
    return this.#bitmap(`/v1/sessions/${session}/whole`, encodeIds(ids), ids.length, signal);
  }

  /**
   * Sends sealed records (64 MiB a call at most), children before parents; the records are not copied. Resolves when they are durable.
   * Not repeated when the connection is lost: ask `have` and send what is missing.
   */
  async records(
    session: string,
    records: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<RecordsAnswer> {
    const path = `/v1/sessions/${session}/records`;
    const binary = encodeRecordBody(records);
    const answer = await this.#bytes({ method: "POST", path, binary, signal, once: true });
    return parseRecordsAnswer(answer, records.length);
  }

  /** May be repeated: a commit that went through answers the same again. */
  commit(session: string, object: Uint8Array, about: CommitOptions = {}): Promise<messages.CommitAnswer> {
    const headers = figuresHeaders(about.figures);
    const path = `/v1/sessions/${session}/commit`;
    return this.#json({ method: "POST", path, binary: [object], headers, signal: about.signal });
  }

  /** Says how far a backup is. Not found at a gateway that does not know the question. @throws HoldfastError backup-cancelled: it is to stop */
  async tellProgress(session: string, json: messages.ProgressRequest, signal?: AbortSignal): Promise<void> {
    await this.#bytes({ method: "POST", path: `/v1/sessions/${session}/progress`, json, signal, once: true });
  }

  async endSession(session: string): Promise<void> {
    await this.#bytes({ method: "DELETE", path: `/v1/sessions/${session}` });
  }

  /**
   * Reads sealed records (at most 4,096 ids a call), one result per id in the order asked. The gateway is held back while the
   * caller is busy. Each record is memory of its own. Not repeated once the first result is out.
   */
  async *read(
    vault: string,
    group: number,
    ids: readonly Uint8Array[],
    signal?: AbortSignal,
  ): AsyncGenerator<ReadResult, void, undefined> {
    const response = await this.#startRead(vault, group, ids, signal);
    yield* readPieces(response, ids.length, signal, this.#downloads);
  }

  /** As `read`, all results at once: without a turn of the event loop for each piece that arrives. */
  async readAll(
    vault: string,
    group: number,
    ids: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<ReadResult[]> {
    if (this.#downloads !== undefined) return await Array.fromAsync(this.read(vault, group, ids, signal));
    return await readResults(await this.#startRead(vault, group, ids, signal), ids.length, signal);
  }

  #startRead(
    vault: string,
    group: number,
    ids: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<IncomingMessage> {
    const binary = [encodeGroupIds(group, ids)];
    return this.#send({ method: "POST", path: `/v1/vaults/${vault}/read`, binary, signal });
  }

  /** As `have` in a vault and group, without a session, and without what is only promised. */
  exists(vault: string, group: number, ids: readonly Uint8Array[], signal?: AbortSignal): Promise<Buffer> {
    return this.#bitmap(`/v1/vaults/${vault}/exists`, encodeGroupIds(group, ids), ids.length, signal);
  }

  async #bitmap(path: string, body: Buffer, count: number, signal: AbortSignal | undefined): Promise<Buffer> {
    return parseBitmap(await this.#bytes({ method: "POST", path, binary: [body], signal }), count);
  }

  /** A closed pack, or the bytes first..last of it. */
  pack(
    vault: string,
    sha256: string,
    range?: { readonly first: number; readonly last: number },
    signal?: AbortSignal,
  ): Promise<Buffer> {
    const path = `/v1/vaults/${vault}/packs/${sha256}`;
    const headers = range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` };
    return this.#bytes({ method: "GET", path, headers, signal, answerBytesMax: limits.packBytesMax });
  }

  suspect(vault: string, json: messages.SuspectRequest): Promise<messages.SuspectAnswer> {
    return this.#json({ method: "POST", path: `/v1/vaults/${vault}/suspect`, json });
  }
}
