// Node's agents, by tunnels where a proxy leads to the host.

import type * as Http from "node:http";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import { knownAuthorities } from "./authorities.ts";
import { http } from "./nodeHttp.ts";
import type { Proxies } from "./proxies.ts";
import { openTunnel } from "./tunnel.ts";

/** For a proxy to answer. */
const tunnelMs = 15_000;

type Options = Http.ClientRequestArgs & { readonly host?: string | null };
type Callback = (error: Error | null, stream: Duplex) => void;

/** The way to a host by a proxy; undefined: none leads there. */
function tunnelTo(
  proxies: Proxies | undefined,
  options: Options,
  secure: boolean,
): ReturnType<typeof openTunnel> | undefined {
  const place = { host: options.host ?? "localhost", port: Number(options.port ?? (secure ? 443 : 80)) };
  try {
    const proxy = proxies?.to(place.host, place.port, secure);
    return proxy === undefined ? undefined : openTunnel(proxy, place, tunnelMs);
  } catch (error) {
    return Promise.reject(error);
  }
}

function failed(callback: Callback | undefined): (error: Error) => void {
  return (error) => callback?.(error, undefined as unknown as Duplex);
}

export class PlainAgent extends http.Agent {
  readonly #proxies: Proxies | undefined;

  constructor(options: Http.AgentOptions, proxies: Proxies | undefined) {
    super(options);
    this.#proxies = proxies;
  }

  override createConnection(options: Options, callback?: Callback): Duplex | null | undefined {
    const tunnel = tunnelTo(this.#proxies, options, false);
    if (tunnel === undefined) return super.createConnection(options, callback);
    tunnel.then((socket) => callback?.(null, socket), failed(callback));
    return undefined;
  }
}

export class SecureAgent extends https.Agent {
  readonly #proxies: Proxies | undefined;

  constructor(options: https.AgentOptions, proxies: Proxies | undefined) {
    super(options);
    this.#proxies = proxies;
  }

  /** Without `ca` a known authority must vouch for the server. */
  override createConnection(
    asked: https.AgentOptions & Options,
    callback?: Callback,
  ): Duplex | null | undefined {
    const options = asked.ca === undefined ? { ...asked, ...knownAuthorities() } : asked;
    const tunnel = tunnelTo(this.#proxies, options, true);
    if (tunnel === undefined) return super.createConnection(options, callback);
    tunnel.then(
      (socket) => callback?.(null, super.createConnection({ ...options, socket } as Options) as Duplex),
      failed(callback),
    );
    return undefined;
  }
}
