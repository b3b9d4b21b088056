// The settings about HTTP proxies in config.toml: by which way this gateway reaches replicas and other gateways (docs/network.md).

import { HttpProxy, Proxies } from "../ingest/line/proxies.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";

export type ProxySettings = {
  /** http://NAME:PASSWORD@HOST:PORT; none: straight; empty: as the environment says. */
  readonly proxy: string;
  /** As NO_PROXY; empty: as the environment says. */
  readonly noProxy: string;
};

export const settingsDefault: ProxySettings = { proxy: "", noProxy: "" };

export const keys = { proxy: "proxy", "no-proxy": "noProxy" } as const;

/** Their part of config.toml. */
export function formatProxySettings({ proxy, noProxy }: ProxySettings): string {
  return `# The HTTP proxy to replicas in S3 and on other gateways, "http://NAME:PASSWORD@HOST:PORT" (with a password: chmod 600 for this
# file), and hosts to which none leads. "none": straight. Empty: by HTTPS_PROXY and NO_PROXY of the gateway's environment.
proxy = ${JSON.stringify(proxy)}
no-proxy = ${JSON.stringify(noProxy)}
`;
}

/** @throws HoldfastError usage */
export function checkSettings({ proxy }: ProxySettings): void {
  passwordIn(proxy);
}

/** @throws HoldfastError usage for a file with a password in it that others may read. `mode`: the file's. */
export function refuseReaders({ proxy }: ProxySettings, path: string, mode: number): void {
  if (!passwordIn(proxy) || (mode & 0o077) === 0) return;
  throw new HoldfastError(ErrorCode.usage, `${path} has a proxy's password in it and can be read by others`, {
    next: `chmod 600 ${path}`,
  });
}

function passwordIn(proxy: string): boolean {
  return proxy !== "" && proxy !== "none" && HttpProxy.parse(proxy, "config.toml: proxy").hasCredentials;
}

/** @throws HoldfastError usage */
export function proxiesOf({ proxy, noProxy }: ProxySettings): Proxies {
  return new Proxies({ proxy: proxy || undefined, noProxy: noProxy || undefined }, process.env);
}
