// HTTP under the SDK: kept connections, a bounded number of them, bodies sent slice by slice, and watches against
// connections that hang or drip.
//
// Invariants
// - At most `connectionsMax` requests run at a time; the others wait in order.
// - While a body is under way, each `windowMs` moves at least `bytesPerSecondMin`; answers begin within `answerWindows`. Else it ends with a TransportError.
// - An answer is never larger in memory than the caller allowed.
// - Every request ends with an answer or a TransportError (or the TLS error itself), and leaves no socket that is half used.

import type * as Http from "node:http";
import * as https from "node:https";
import { Readable } from "node:stream";
import { PlainAgent, SecureAgent } from "../../../ingest/line/agents.ts";
import { http } from "../../../ingest/line/nodeHttp.ts";
import type { Proxies } from "../../../ingest/line/proxies.ts";
import { giveBackWhole } from "../../../vault/bytes.ts";
import type { Memory } from "../replicaStore.ts";
import { readsIntoKeptMemory } from "./socketReads.ts";
import { plainError, TransportError } from "./transportError.ts";
import { Turns } from "./turns.ts";

/** The parts of the SDK's request that are used here. */
type SdkRequest = {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

/** What a call may say besides the SDK's request. */
export type CallOptions = {
  readonly abortSignal?: AbortSignal | undefined;
  /** The body, instead of the SDK's. */
  readonly slices?: (() => AsyncIterable<Uint8Array>) | undefined;
  /** The most bytes that the answer may have. */
  readonly answerBytesMax?: number | undefined;
  /** Where a body with a declared length is to come. */
  readonly memory?: Memory | undefined;
};

export type TransportTuning = {
  readonly connectionsMax: number;
  readonly windowMs: number;
  readonly answerWindows: number;
  readonly bytesPerSecondMin: number;
};

export const usualTuning: TransportTuning = {
  connectionsMax: 16,
  windowMs: 20_000,
  answerWindows: 6,
  bytesPerSecondMin: 2048,
};

/** Of lists, which have up to 1,000 rows, and all but ranges. */
const answerBytesMaxUsual = 16 << 20;
/** What goes to the socket at once, and is counted. */
const pieceBytes = 256 << 10;

/** What went over the wire: bodies, without headers. */
export type Traffic = { sentBytes: number; receivedBytes: number };

/** Where a request is: waiting for its source (disk, bandwidth limit), sending, waiting for the answer, receiving. */
class Progress {
  bytes = 0;
  phase: "source" | "send" | "answer" | "body" = "source";
  /** Grows with each change of phase. */
  step = 0;
  /** Goes on to a phase; an answer that came early (`body`) is left only by name. */
  enter(phase: Progress["phase"], from?: "body"): void {
    if (this.phase === "body" && from === undefined) return;
    this.phase = phase;
    this.step++;
  }
}

export class Transport {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  /** The Date of the last answer; empty before the first. */
  serverDate = "";
  readonly #tuning: TransportTuning;
  readonly #plain: Http.Agent;
  readonly #secure: https.Agent;
  readonly #turns: Turns;

  /** `ca`: PEM of the certificates to trust in place of known authorities. */
  constructor(tuning: TransportTuning, ca?: string, proxies?: Proxies) {
    this.#tuning = tuning;
    this.#turns = new Turns(tuning.connectionsMax);
    // Servers close idle connections after 5 s and more: ours go before that.
    const own = { maxSockets: tuning.connectionsMax, onread: readsIntoKeptMemory() };
    const options = { ...own, keepAlive: true, timeout: 4000, noDelay: true };
    this.#plain = new PlainAgent(options, proxies);
    this.#secure = new SecureAgent({ ...options, ...(ca !== undefined && { ca }) }, proxies);
  }

  destroy(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** The SDK's way in. The body of the answer is whole in memory when this resolves. */
  async handle(
    request: SdkRequest,
    options: CallOptions = {},
  ): Promise<{
    response: { statusCode: number; reason: string; headers: Record<string, string>; body: Readable };
  }> {
    const { message, body } = await this.#turns.run(() => this.#exchange(request, options));
    this.serverDate = message.headers.date ?? this.serverDate;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(message.headers)) headers[name] = String(value);
    return {
      response: {
        statusCode: message.statusCode ?? 0,
        reason: message.statusMessage ?? "",
        headers,
        body: Readable.from(body.length === 0 ? [] : [body]),
      },
    };
  }

  async #exchange(request: SdkRequest, options: CallOptions) {
    const secure = request.protocol === "https:";
    options.abortSignal?.throwIfAborted();
    const sent = (secure ? https : http).request({
      method: request.method,
      host: request.hostname.replace(/^\[|\]$/g, ""),
      port: request.port,
      path: request.path + queryText(request.query),
      headers: request.headers,
      agent: secure ? this.#secure : this.#plain,
    });
    const progress = new Progress();
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    const fail = (error: unknown) => {
      reject(error);
      sent.destroy();
    };
    const stop = () => fail(options.abortSignal?.reason ?? new Error("stopped"));
    options.abortSignal?.addEventListener("abort", stop, { once: true });
    const watch = this.#watch(progress, fail);
    sent.on("error", (error) => fail(plainError(error)));
    const answered = new Promise<Http.IncomingMessage>((resolve) => sent.once("response", resolve));
    let whole = false;
    const sending = this.#send(sent, request, options, progress).then(() => {
      whole = true;
    });
    try {
      sending.catch(fail);
      // A refusal may come before all is sent.
      const message = await Promise.race([answered, failed]);
      progress.enter("body");
      const body = await Promise.race([this.#receive(message, options, progress, request.method), failed]);
      return { message, body };
    } finally {
      clearInterval(watch);
      options.abortSignal?.removeEventListener("abort", stop);
      if (!whole) sent.destroy();
    }
  }

  /** Ends a request that does not get on. */
  #watch(progress: Progress, fail: (error: Error) => void) {
    const { windowMs, answerWindows, bytesPerSecondMin } = this.#tuning;
    let before = { step: progress.step, bytes: 0 };
    let windows = 0;
    return setInterval(() => {
      const moved = progress.bytes - before.bytes;
      const same = progress.step === before.step;
      before = { step: progress.step, bytes: progress.bytes };
      windows = same ? windows + 1 : 0;
      if (!same || progress.phase === "source") return;
      if (progress.phase === "answer") {
        if (windows >= answerWindows) fail(new TransportError("no answer in time"));
      } else if (moved < (bytesPerSecondMin * windowMs) / 1000) {
        fail(
          new TransportError(
            moved === 0 ? "the connection hangs" : "the connection is too slow to be of use",
          ),
        );
      }
    }, windowMs);
  }

  async #send(
    sent: Http.ClientRequest,
    request: SdkRequest,
    { slices }: CallOptions,
    progress: Progress,
  ): Promise<void> {
    const body = slices?.() ?? (request.body === undefined ? [] : [toBytes(request.body)]);
    for await (const slice of body) {
      progress.enter("send");
      for (let at = 0; at < slice.length && !sent.destroyed; at += pieceBytes) {
        const piece = slice.subarray(at, at + pieceBytes);
        await new Promise<void>((resolve, reject) =>
          sent.write(piece, (error) => (error == null ? resolve() : reject(plainError(error)))),
        );
        progress.bytes += piece.length;
        this.traffic.sentBytes += piece.length;
      }
      progress.enter("source");
    }
    progress.enter("answer");
    sent.end();
  }

  async #receive(
    message: Http.IncomingMessage,
    { answerBytesMax: bytesMax = answerBytesMaxUsual, memory }: CallOptions,
    progress: Progress,
    method: string,
  ): Promise<Buffer> {
    const text = message.headers["content-length"];
    const declared = method === "HEAD" || text === undefined ? undefined : Number(text);
    if (declared !== undefined && !(declared <= bytesMax)) {
      message.destroy();
      throw new TransportError(`an answer of ${text} bytes where at most ${bytesMax} were asked for`);
    }
    // What has no declared length (lists, keep-alive spaces of a long Complete) may come slowly, but not for ever.
    if (declared === undefined) progress.enter("answer", "body");
    const out = declared === undefined ? undefined : memory?.(declared);
    const pieces: Buffer[] = [];
    let length = 0;
    // By events: an iterator costs two promises for each read of the socket.
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    message.on("data", (piece: Buffer) => {
      length += piece.length;
      if (length > bytesMax) {
        reject(new TransportError(`an answer of more than ${bytesMax} bytes`));
        message.destroy();
        return;
      }
      if (out === undefined) pieces.push(piece);
      else {
        piece.copy(out, length - piece.length);
        giveBackWhole(piece);
      }
      progress.bytes += piece.length;
      this.traffic.receivedBytes += piece.length;
    });
    message.once("end", resolve).once("error", (error) => reject(plainError(error)));
    message.once("close", () => {
      if (!message.complete) reject(new TransportError("the answer broke off"));
    });
    await ended;
    if (declared !== undefined && length !== declared) throw new TransportError("the answer broke off");
    if (out !== undefined) return out;
    if (pieces.length === 1) return pieces[0]!;
    const joined = Buffer.concat(pieces, length);
    for (const piece of pieces) giveBackWhole(piece);
    return joined;
  }
}

function toBytes(body: unknown): Uint8Array {
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  throw new Error("S3 transport: a body of another kind");
}

function queryText(query: SdkRequest["query"]): string {
  const parts = Object.entries(query ?? {}).flatMap(([name, value]) =>
    (value === null ? [undefined] : [value].flat()).map((one) =>
      one === undefined ? escapeUri(name) : `${escapeUri(name)}=${escapeUri(one)}`,
    ),
  );
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** RFC 3986, as signatures demand it. */
function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
