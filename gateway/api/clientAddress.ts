// Where a request comes from, and whether it may: the lists of the settings as they are now (docs/security.md, "Addresses").

import type { IncomingMessage } from "node:http";
import { addressRefused } from "../auth/accountAddresses.ts";
import { AddressRules, AddressSet, realAddress } from "../auth/addressLists.ts";
import type { Gateway } from "../gateway.ts";
import type { GatewaySettings } from "../settings.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Where it comes from, behind trusted proxies too. */
    from: string;
  }
}

type Ready = { readonly rules: AddressRules; readonly proxies: AddressSet | undefined };

/** Settings are read anew as a whole, so what was made of them goes with them. */
const readyBy = new WeakMap<GatewaySettings, Ready>();

function readyOf({ dataDir: { settings } }: Gateway): Ready {
  const known = readyBy.get(settings);
  if (known !== undefined) return known;
  const { trustedProxies } = settings;
  const proxies = trustedProxies.length === 0 ? undefined : new AddressSet(trustedProxies, "trusted-proxies");
  const ready = { rules: new AddressRules(settings), proxies };
  readyBy.set(settings, ready);
  return ready;
}

/** Whether an address is a trusted proxy: then what it brings says who asks. */
export function isProxy(gateway: Gateway, address: string): boolean {
  return readyOf(gateway).proxies?.has(address) === true;
}

/** Whether the gateway's lists let an address in. */
export function admitsAddress(gateway: Gateway, address: string): boolean {
  return readyOf(gateway).rules.admits(address);
}

/** Where a request comes from, whether it may or not. */
export function originOf(gateway: Gateway, { socket, headers }: IncomingMessage): string {
  const forwarded = headers["x-forwarded-for"];
  const text = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
  return realAddress(socket.remoteAddress ?? "", text, readyOf(gateway).proxies);
}

/** @throws HoldfastError forbidden where the gateway's lists refuse the address */
export function demandAddress(gateway: Gateway, address: string): void {
  if (!admitsAddress(gateway, address)) throw addressRefused("gateway");
}
