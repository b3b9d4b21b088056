// Connections to a gateway: kept alive, and handed to a request only after the gateway's public key was checked, so
// that not a byte of a request (nor a token) reaches anyone else.

import { Agent, type AgentOptions } from "node:https";
import { isIP, type OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { knownAuthorities, noAuthorities } from "../line/authorities.ts";
import type { Line } from "../line/line.ts";
import type { HttpProxy } from "../line/proxies.ts";
import { openTunnel } from "../line/tunnel.ts";
import { fingerprintOf } from "./fingerprint.ts";

export type PinnedAgentOptions = {
  /** `SHA256:<64 hex>` of the public key; without it a known authority must vouch for the certificate. */
  readonly fingerprint: string | undefined;
  /** Connections at a time. */
  readonly socketsMax: number;
  readonly connectTimeoutMs: number;
  readonly line?: Line | undefined;
};

/** What Agent.createConnection gets. */
type ConnectOptions = AgentOptions & {
  readonly host?: string;
  readonly port?: number | string;
  readonly servername?: string;
};

export class PinnedAgent extends Agent {
  readonly #options: PinnedAgentOptions;

  constructor(options: PinnedAgentOptions) {
    super({
      keepAlive: true,
      maxSockets: options.socketsMax,
      maxFreeSockets: options.socketsMax,
      scheduling: "lifo",
    });
    this.#options = options;
  }

  /** Connects, checks the key, and only then hands the socket over. */
  override createConnection(
    options: ConnectOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    connectPinned(
      { host: options.host ?? "localhost", port: Number(options.port), servername: options.servername },
      this.#options,
    ).then(
      (socket) => callback?.(null, socket),
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }
}

/**
 * Opens a TLS connection and checks whom it leads to.
 * @param onread where what arrives is put, instead of `data` events
 * @throws HoldfastError fingerprint-mismatch, fingerprint-unknown; the system's error
 */
export async function connectPinned(
  place: { host: string; port: number; servername: string | undefined },
  options: Omit<PinnedAgentOptions, "socketsMax">,
  onread?: OnReadOpts,
): Promise<tls.TLSSocket> {
  const { fingerprint, line, connectTimeoutMs } = options;
  const authorities = fingerprint === undefined ? "needed" : "none";
  const socket = await connectTls(place, { authorities, timeoutMs: connectTimeoutMs, line, onread });
  const certificate = socket.getPeerX509Certificate();
  const found = certificate === undefined ? undefined : fingerprintOf(certificate.raw);
  if (fingerprint !== undefined && found !== fingerprint) {
    socket.destroy();
    throw new HoldfastError(
      ErrorCode.fingerprintMismatch,
      `the gateway at ${place.host}:${place.port} has the public key ${found}, ${fingerprint} is pinned`,
      {
        next: "Compare with `holdfast gateway status` on the gateway; if its key was replaced on purpose, enrol again.",
        detail: { found: String(found), pinned: fingerprint },
      },
    );
  }
  return socket;
}

type TlsOptions = {
  /** Whether a known authority has to vouch for the certificate; `asked`: whether one does is wanted. */
  readonly authorities: "needed" | "asked" | "none";
  /** For the way through a proxy, and again for TLS. */
  readonly timeoutMs: number;
  readonly line?: Line | undefined;
  readonly onread?: OnReadOpts | undefined;
};

async function connectTls(
  place: { host: string; port: number; servername: string | undefined },
  { authorities, timeoutMs, line, onread }: TlsOptions,
): Promise<tls.TLSSocket> {
  const proxy = line?.proxies?.to(place.host, place.port);
  const tunnel = proxy === undefined ? undefined : await openTunnel(proxy, place, timeoutMs);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: place.host,
      port: place.port,
      ...(tunnel !== undefined && { socket: tunnel }),
      ...(place.servername !== undefined && place.servername !== "" && { servername: place.servername }),
      rejectUnauthorized: authorities === "needed",
      ...(authorities === "none" ? noAuthorities : knownAuthorities()),
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...(onread !== undefined && { onread }),
    } as tls.ConnectionOptions);
    // Node leaves `onread` out where it is given a socket.
    if (tunnel !== undefined && onread !== undefined) socket.on("data", (bytes) => hand(bytes, onread));
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(proxy === undefined ? error : throughProxy(error, proxy));
    };
    socket.once("error", failed);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      boundReceived(socket, line);
      socket.off("error", failed);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Of one connection of several: together they hold half a second's worth. */
const receivedSeconds = 1 / 16;
const receivedBytesMin = 16 * 1024;
const receivedBytesMax = 256 * 1024;

/** What is on its way is bounded as well as what is read, or the first seconds would come as fast as they can. */
function boundReceived(socket: tls.TLSSocket, line: Line | undefined): void {
  const rate = line?.downloads?.rate() ?? Number.POSITIVE_INFINITY;
  const { fd = -1 } = (socket as unknown as { _handle: { fd?: number } })._handle;
  if (fd < 0 || !Number.isFinite(rate)) return;
  const bytes = Math.min(receivedBytesMax, Math.max(receivedBytesMin, Math.floor(rate * receivedSeconds)));
  line?.boundReceiveBuffer?.(fd, bytes);
}

/** Hands over what arrived in pieces of the reader's memory. */
function hand(bytes: Buffer, { buffer, callback }: OnReadOpts): void {
  const memory = buffer as Uint8Array;
  for (let at = 0; at < bytes.length; at += memory.length) {
    const piece = bytes.subarray(at, at + memory.length);
    memory.set(piece);
    callback(piece.length, memory);
  }
}

function throughProxy(error: Error, { name }: HttpProxy): Error {
  return Object.assign(error, { message: `${error.message} (by the proxy at ${name})` });
}

export type ProbeOptions = { readonly timeoutMs?: number; readonly line?: Line | undefined };

/**
 * Asks a gateway for its certificate and sends nothing.
 * @returns its fingerprint, and whether a known authority vouches for it
 * @throws HoldfastError gateway-unreachable
 */
export function probeGateway(
  url: string,
  options: ProbeOptions = {},
): Promise<{ fingerprint: string; trusted: boolean }> {
  return probe(url, "asked", options);
}

/** As probeGateway, where no authority matters. */
export async function probeFingerprint(url: string, options: ProbeOptions = {}): Promise<string> {
  return (await probe(url, "none", options)).fingerprint;
}

async function probe(
  url: string,
  authorities: "asked" | "none",
  { timeoutMs = 15_000, line }: ProbeOptions,
): Promise<{ fingerprint: string; trusted: boolean }> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  // Named as the requests will name it, or a proxy before several gateways would show another's certificate.
  const place = { host, port: Number(port || 443), servername: isIP(host) === 0 ? host : undefined };
  let socket: tls.TLSSocket;
  try {
    socket = await connectTls(place, { authorities, timeoutMs, line });
  } catch (error) {
    if (isHoldfastError(error)) throw error;
    throw new HoldfastError(
      ErrorCode.gatewayUnreachable,
      `no gateway answers at ${url}: ${(error as Error).message}`,
      {
        next: "Check address, port and network.",
        cause: error,
      },
    );
  }
  try {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new HoldfastError(ErrorCode.protocol, `${url} shows no certificate`);
    // Node has compared the host as well, be it a name or an address.
    return { fingerprint: fingerprintOf(certificate.raw), trusted: socket.authorized };
  } finally {
    socket.destroy();
  }
}
