// Connections to a gateway: kept alive, and handed to a request only after the gateway's public key was checked, so
// that not a byte of a request (nor a token) reaches anyone else.

import { Agent, type AgentOptions } from "node:https";
import { isIP, type OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { fingerprintOf } from "./fingerprint.ts";

export type PinnedAgentOptions = {
  /** `SHA256:<64 hex>` of the public key; without it a known authority must vouch for the certificate. */
  readonly fingerprint: string | undefined;
  /** Connections at a time. */
  readonly socketsMax: number;
  readonly connectTimeoutMs: number;
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
  const { fingerprint } = options;
  const socket = await connectTls(place, fingerprint === undefined, options.connectTimeoutMs, onread);
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

function connectTls(
  place: { host: string; port: number; servername: string | undefined },
  verify: boolean,
  timeoutMs: number,
  onread?: OnReadOpts,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: place.host,
      port: place.port,
      ...(place.servername !== undefined && place.servername !== "" && { servername: place.servername }),
      rejectUnauthorized: verify,
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.2",
      ...(onread !== undefined && { onread }),
    } as tls.ConnectionOptions);
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", failed);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/**
 * Asks a gateway for its certificate and sends nothing.
 * @returns its fingerprint, and whether a known authority vouches for it
 * @throws HoldfastError gateway-unreachable
 */
export async function probeGateway(
  url: string,
  timeoutMs = 15_000,
): Promise<{ fingerprint: string; trusted: boolean }> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  // Named as the requests will name it, or a proxy before several gateways would show another's certificate.
  const place = { host, port: Number(port || 443), servername: isIP(host) === 0 ? host : undefined };
  let socket: tls.TLSSocket;
  try {
    socket = await connectTls(place, false, timeoutMs);
  } catch (error) {
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
