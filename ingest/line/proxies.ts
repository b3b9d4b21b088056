// Which HTTP proxy leads to a host: what the settings say, else what the environment does (docs/network.md).
//
// Invariant: a proxy's credentials are in the header that it is sent alone: in no message, no detail, and in nothing that prints an object.

import { isIP } from "node:net";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { NoProxy, plainHost } from "./noProxy.ts";

/** Undefined members were not given. `proxy`: an address, or `none`. */
export type ProxySettings = { readonly proxy?: string | undefined; readonly noProxy?: string | undefined };

export type Environment = Readonly<Record<string, string | undefined>>;

export class HttpProxy {
  readonly host: string;
  readonly port: number;
  readonly #credentials: string | undefined;

  private constructor(host: string, port: number, credentials: string | undefined) {
    this.host = host;
    this.port = port;
    this.#credentials = credentials;
  }

  /**
   * Reads `[http://][USER:PASSWORD@]HOST[:PORT]`; the port is 80 unless given.
   * @param where what said so, for the message
   * @throws HoldfastError usage, which does not repeat the text
   */
  static parse(text: string, where: string): HttpProxy {
    const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
    const url = URL.canParse(written) ? new URL(written) : undefined;
    if (url !== undefined && url.protocol !== "http:")
      throw wrong(`${where}: a proxy is spoken to by http://, not ${url.protocol}//`);
    if (url === undefined || url.pathname !== "/" || url.search !== "" || url.hash !== "")
      throw wrong(`${where} is not the address of a proxy`);
    const port = Number(url.port || 80);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (url.username === "" && url.password === "") return new HttpProxy(host, port, undefined);
    try {
      const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      return new HttpProxy(host, port, credentials);
    } catch {
      throw wrong(`${where}: a "%" in the name or password of a proxy is written %25`);
    }
  }

  /** HOST:PORT, for messages. */
  get name(): string {
    return `${isIP(this.host) === 6 ? `[${this.host}]` : this.host}:${this.port}`;
  }

  get hasCredentials(): boolean {
    return this.#credentials !== undefined;
  }

  /** The Proxy-Authorization header's value; undefined without credentials. */
  authorization(): string | undefined {
    if (this.#credentials === undefined) return undefined;
    return `Basic ${Buffer.from(this.#credentials).toString("base64")}`;
  }
}

export class Proxies {
  readonly #settings: ProxySettings;
  readonly #environment: Environment;
  readonly #except: NoProxy;

  /**
   * Settings count before the environment's variables; each of the two settings by itself.
   * @throws HoldfastError usage for a setting that is no proxy's address
   */
  constructor(settings: ProxySettings, environment: Environment) {
    const { proxy, noProxy } = settings;
    if (proxy !== undefined && proxy !== "none") HttpProxy.parse(proxy, "the proxy in the settings");
    this.#settings = settings;
    this.#environment = environment;
    this.#except = new NoProxy(noProxy ?? environment.no_proxy ?? environment.NO_PROXY ?? "");
  }

  /**
   * The proxy to a host; undefined: none.
   * @param secure whether TLS will be spoken to the host
   * @throws HoldfastError usage for a variable that is no proxy's address
   */
  to(host: string, port: number, secure = true): HttpProxy | undefined {
    if (this.#except.covers(host, port)) return undefined;
    const { proxy } = this.#settings;
    if (proxy !== undefined)
      return proxy === "none" ? undefined : HttpProxy.parse(proxy, "the proxy in the settings");
    // What is said for all programs of a machine is not said of the machine itself.
    if (isLoopback(host)) return undefined;
    const names = secure ? secureNames : plainNames;
    const name = names.find((each) => this.#environment[each] !== undefined);
    const value = name === undefined ? "" : (this.#environment[name] as string);
    return value === "" ? undefined : HttpProxy.parse(value, `the environment's ${name}`);
  }
}

/** Small letters first, as curl does; HTTP_PROXY in capitals may come from a web server's request and is not read. */
const secureNames = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const plainNames = ["http_proxy", "all_proxy", "ALL_PROXY"];

function isLoopback(host: string): boolean {
  const plain = plainHost(host);
  if (isIP(plain) === 4) return plain.startsWith("127.");
  return plain === "::1" || plain === "localhost" || plain.endsWith(".localhost");
}

function wrong(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, {
    next: "Write it like http://proxy.example:3128, or none.",
  });
}
