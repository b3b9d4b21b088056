// A proxy on loopback that does to connections what bad networks and busy servers do.
//
// `http` sees requests: each may get its own fault. `tcp` sees connections, and so works under TLS too. A test asks `fired` afterwards, so that a fault that
// never happened fails it.
import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import { type Readable, Transform, type TransformCallback } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { randomFrom } from "../fidelity/random.ts";

type Direction = "up" | "down";

export type Fault =
  /** Waits before anything is passed on. */
  | { readonly kind: "latency"; readonly ms: number }
  /** Answers itself; the server sees nothing. Only `http`. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Record<string, string>;
    }
  /** Cuts the connection after so many bytes (of bodies, in `http`). `down` with 0: the work is done, its answer is lost. */
  | { readonly kind: "reset"; readonly direction: Direction; readonly afterBytes: number }
  /** Passes nothing on any more after so many bytes, and keeps the connection. `down` with 0: not even the head of the answer. */
  | { readonly kind: "stall"; readonly direction: Direction; readonly afterBytes: number }
  /** Passes on one byte each `everyMs`. */
  | { readonly kind: "drip"; readonly direction: Direction; readonly everyMs: number }
  /** Turns a bit of the byte at this place. */
  | { readonly kind: "alter"; readonly direction: Direction; readonly at: number };

/** What is about to be passed on: a request, or (in `tcp`) a connection. `number` counts from 0. */
export type Exchange = { readonly number: number; readonly method: string; readonly path: string };

/** Which fault an exchange meets. May do something itself first. */
export type Choose = (exchange: Exchange) => Fault | undefined | Promise<Fault | undefined>;

/** Faults at random: `share` (0..1) of the exchanges meet one of `faults`. Print the seed where a test fails. */
export function randomFaults(seed: number, share: number, faults: readonly Fault[]): Choose {
  const random = randomFrom(seed);
  return () =>
    random.below(1_000_000) < share * 1_000_000 ? faults[random.below(faults.length)] : undefined;
}

export class FaultProxy {
  /** Decides for exchanges from now on. */
  choose: Choose;
  /** How often each kind of fault was applied. */
  readonly fired: Partial<Record<Fault["kind"], number>> = {};
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: http.Server | net.Server;
  readonly #sockets = new Set<net.Socket>();
  #count = 0;

  private constructor(kind: "http" | "tcp", target: { host: string; port: number }, choose: Choose) {
    this.choose = choose;
    this.#target = target;
    this.#server =
      kind === "http"
        ? http.createServer((request, response) => void this.#pass(request, response))
        : net.createServer((socket) => void this.#join(socket));
    this.#server.on("connection", (socket: net.Socket) => this.#keep(socket));
  }

  /** Starts one in front of `target` (an address with host and port). */
  static async start(
    kind: "http" | "tcp",
    target: string,
    choose: Choose = () => undefined,
  ): Promise<FaultProxy> {
    const { hostname, port } = new URL(target);
    const proxy = new FaultProxy(kind, { host: hostname, port: Number(port) }, choose);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Cuts all connections that are open now. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async #next(method: string, path: string): Promise<Fault | undefined> {
    const fault = await this.choose({ number: this.#count++, method, path });
    if (fault !== undefined) this.fired[fault.kind] = (this.fired[fault.kind] ?? 0) + 1;
    if (fault?.kind === "latency") await pause(fault.ms);
    return fault;
  }

  async #join(socket: net.Socket): Promise<void> {
    const fault = await this.#next("", "");
    const far = net.connect(this.#target);
    this.#keep(far);
    const end = () => {
      socket.resetAndDestroy();
      far.resetAndDestroy();
    };
    far.on("close", end);
    socket.on("close", end);
    through(socket, fault, "up", end).pipe(far);
    through(far, fault, "down", end).pipe(socket);
  }

  async #pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const fault = await this.#next(request.method ?? "", request.url ?? "");
    if (fault?.kind === "answer") {
      request.resume();
      await once(request, "end").catch(() => undefined);
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      return;
    }
    const far = http.request({
      ...this.#target,
      method: request.method,
      path: request.url,
      headers: request.headers,
      agent: false,
    });
    far.on("socket", (socket) => this.#keep(socket));
    const end = () => {
      request.socket.resetAndDestroy();
      far.destroy();
    };
    request.on("error", end);
    response.on("error", end);
    response.on("close", () => far.destroy());
    far.on("error", end);
    far.on("response", (answer) => {
      const none =
        fault !== undefined && "afterBytes" in fault && fault.direction === "down" && fault.afterBytes === 0;
      if (none) return fault.kind === "reset" ? end() : undefined;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on("error", end);
      return through(answer, fault, "down", end).pipe(response);
    });
    through(request, fault, "up", end).pipe(far);
  }
}

/** A stream with the fault of its direction, if there is one. */
function through(from: Readable, fault: Fault | undefined, direction: Direction, end: () => void): Readable {
  if (fault === undefined || !("direction" in fault) || fault.direction !== direction) return from;
  let seen = 0;
  const step = async (piece: Buffer, push: (piece: Buffer) => void) => {
    const before = seen;
    seen += piece.length;
    if (fault.kind === "drip") {
      for (const byte of piece) {
        push(Buffer.of(byte));
        await pause(fault.everyMs);
      }
      return;
    }
    if (fault.kind === "alter") {
      if (fault.at >= before && fault.at < seen) piece[fault.at - before]! ^= 1;
      push(piece);
      return;
    }
    push(piece.subarray(0, Math.max(0, fault.afterBytes - before)));
    if (seen < fault.afterBytes) return;
    if (fault.kind === "reset") end();
    await new Promise(() => undefined); // for ever: what follows is not passed on
  };
  const faulty = new Transform({
    transform(piece: Buffer, _encoding, done: TransformCallback) {
      step(piece, (part) => this.push(part)).then(() => done(), done);
    },
  });
  faulty.on("error", end);
  return from.pipe(faulty);
}
