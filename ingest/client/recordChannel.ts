// One record channel, at the asker's end (docs/protocol.md, Record channels): a TLS connection of its own, asked for by one HTTP/1.1
// request and from then on frames both ways. Bytes arrive in one buffer that is used again, and go from there into the memory of
// their record: a body of HTTP would come in buffers of 16 KiB each, which V8 collects its heap for.
//
// Invariants: nothing is sent before the pinned key was checked; every read ends, at the latest when the connection closes; an
// answer that nobody waits for ends the channel.

import type { Socket } from "node:net";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Line } from "../line/line.ts";
import { protocolHeader, protocolVersion } from "../wire/protocol.ts";
import type { ReadResult } from "../wire/readStream.ts";
import { ChannelAnswerParser, channelProtocol, encodeChannelRequest } from "../wire/recordChannel.ts";
import { ConnectionLost, cancelled } from "./exchange.ts";
import { connectPinned } from "./pinnedAgent.ts";

export type ChannelAddress = {
  readonly url: URL;
  readonly fingerprint: string | undefined;
  readonly token: string;
  /** 32 hex digits. */
  readonly vault: string;
  readonly line?: Line | undefined;
};

/** Takes the result of the id at this place of a request. */
export type TakeResult = (index: number, result: ReadResult) => void;

/** The gateway, or what is before it, answers, but opens no channel. */
export class NoChannel extends Error {}

/** What TLS hands over at a time at most. */
const arrivalBytes = 16 * 1024;
const headBytesMax = 16 * 1024;
const connectMs = 15_000;
/** Something was asked and nothing comes. */
const answerMs = 120_000;

type Request = {
  readonly answered: Uint8Array;
  left: number;
  /** Undefined when nobody waits any more. */
  take: TakeResult | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

export class RecordChannel {
  readonly #socket: Socket;
  readonly #memory: (bytes: number) => Buffer;
  readonly #parser: ChannelAnswerParser;
  readonly #requests = new Map<number, Request>();
  #lastTicket = 0;
  #failure: Error | undefined;

  private constructor(socket: Socket, memory: (bytes: number) => Buffer) {
    this.#socket = socket;
    this.#memory = memory;
    this.#parser = new ChannelAnswerParser({
      expect: (ticket, index) => this.#expected(ticket, index),
      memory: (bytes) => this.#memory(bytes),
      take: (ticket, index, result) => this.#taken(ticket, index, result),
    });
    socket.on("error", (error) => this.#end(error));
    socket.once("close", () => this.#end(new Error("the gateway closed the channel")));
    socket.setTimeout(answerMs, () => {
      if (this.#requests.size > 0) this.#end(new Error("the gateway did not answer in time"));
    });
    // An idle channel keeps no process alive.
    socket.unref();
  }

  /**
   * Connects and asks for a channel.
   * @param memory gives the memory that a record comes in
   * @throws NoChannel; HoldfastError fingerprint-mismatch; the system's error
   */
  static async open(address: ChannelAddress, memory: (bytes: number) => Buffer): Promise<RecordChannel> {
    if (!/^[0-9a-f]{32}$/.test(address.vault)) throw new Error("not a vault's id");
    const { promise: answered, resolve, reject } = Promise.withResolvers<Buffer>();
    // A refused connection is thrown below; nobody else hears of it.
    answered.catch(() => undefined);
    const head: Buffer[] = [];
    let takes = (bytes: Buffer): void => {
      head.push(Buffer.from(bytes));
      const all = Buffer.concat(head);
      if (all.includes("\r\n\r\n")) resolve(all);
      else if (all.length > headBytesMax) reject(new NoChannel("the gateway's answer is no HTTP"));
    };
    const arrival = Buffer.allocUnsafeSlow(arrivalBytes);
    const { hostname, port } = address.url;
    const socket = await connectPinned(
      { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443), servername: undefined },
      { fingerprint: address.fingerprint, connectTimeoutMs: connectMs, line: address.line },
      {
        buffer: arrival,
        callback: (count) => {
          takes(count === arrivalBytes ? arrival : arrival.subarray(0, count));
          return true;
        },
      },
    );
    const late = setTimeout(() => reject(new Error("the gateway did not answer in time")), connectMs);
    const closed = (): void => reject(new NoChannel("the gateway closed the connection"));
    socket.once("close", closed);
    socket.once("error", reject);
    try {
      socket.write(upgradeRequest(address));
      const rest = afterUpgrade(await answered);
      const channel = new RecordChannel(socket, memory);
      socket.off("close", closed);
      socket.off("error", reject);
      takes = (bytes) => channel.#arrived(bytes);
      if (rest.length > 0) channel.#arrived(rest);
      return channel;
    } catch (error) {
      socket.on("error", () => undefined);
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Reads sealed records, each handed over as it arrives, in any order. Resolves when all were.
   * @throws ConnectionLost: what was not handed over must be asked for elsewhere; HoldfastError cancelled
   */
  read(group: number, ids: readonly Uint8Array[], take: TakeResult, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#failure !== undefined) return Promise.reject(new ConnectionLost(this.#failure, true));
    if (ids.length === 0) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const answered = new Uint8Array(ids.length);
    const request: Request = { answered, left: ids.length, take, resolve, reject };
    const ticket = this.#freeTicket();
    if (this.#requests.size === 0) this.#socket.ref();
    this.#requests.set(ticket, request);
    this.#socket.write(encodeChannelRequest(ticket, group, ids));
    if (signal === undefined) return promise;
    const stop = (): void => {
      // What still comes is dropped: the answer cannot be called off.
      request.take = undefined;
      reject(cancelled());
    };
    signal.addEventListener("abort", stop, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", stop));
  }

  close(): void {
    this.#end(new Error("the channel was closed"));
  }

  #freeTicket(): number {
    do this.#lastTicket = (this.#lastTicket + 1) >>> 0;
    while (this.#requests.has(this.#lastTicket));
    return this.#lastTicket;
  }

  #arrived(bytes: Buffer): void {
    if (this.#failure !== undefined) return;
    try {
      this.#parser.push(bytes);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #expected(ticket: number, index: number): void {
    const answered = this.#requests.get(ticket)?.answered;
    if (answered?.[index] === 0) return;
    throw new HoldfastError(ErrorCode.protocol, "the gateway answers what was not asked");
  }

  #taken(ticket: number, index: number, result: ReadResult): void {
    const request = this.#requests.get(ticket) as Request;
    request.answered[index] = 1;
    request.left--;
    if (request.left === 0) {
      this.#requests.delete(ticket);
      if (this.#requests.size === 0) this.#socket.unref();
    }
    try {
      request.take?.(index, result);
    } catch (error) {
      // The reader's own failure, and nobody else's.
      request.take = undefined;
      request.reject(error);
    }
    if (request.left === 0) request.resolve();
  }

  #end(cause: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = cause;
    this.#socket.destroy();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const { reject } of requests) reject(new ConnectionLost(cause, false));
  }
}

function upgradeRequest({ url, token, vault }: ChannelAddress): string {
  return [
    `GET /v1/vaults/${vault}/records HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    `Upgrade: ${channelProtocol}`,
    `${protocolHeader}: ${protocolVersion}`,
    `Authorization: Bearer ${token}`,
    "\r\n",
  ].join("\r\n");
}

/**
 * What follows the head of an answer that opens a channel.
 * @throws NoChannel for every other answer
 */
export function afterUpgrade(answer: Buffer): Buffer {
  const end = answer.indexOf("\r\n\r\n");
  const lines = answer.toString("latin1", 0, Math.max(0, end)).split("\r\n");
  const [status = "", ...headers] = lines;
  const upgrade = headers
    .find((line) => /^upgrade:/i.test(line))
    ?.slice("upgrade:".length)
    .trim();
  if (end >= 0 && /^HTTP\/1\.1 101(?: |$)/.test(status) && upgrade?.toLowerCase() === channelProtocol) {
    return answer.subarray(end + 4);
  }
  throw new NoChannel(`the gateway opens no record channel: ${status.slice(0, 80)}`);
}
