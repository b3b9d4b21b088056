// Lists of addresses and networks: whom to let in, whom not, and which proxies to believe (docs/security.md, "Addresses").

import { BlockList, isIP } from "node:net";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type AddressLists = { readonly allow: readonly string[]; readonly deny: readonly string[] };

/** Rows of one list. */
export const addressesMax = 1000;

/** Addresses and networks of both versions; those of one say nothing of the other, whatever they are mapped to. */
export class AddressSet {
  readonly #v4 = new BlockList();
  readonly #v6 = new BlockList();

  /** "192.0.2.7", "2001:db8::/32". `what`: where these rows are. @throws HoldfastError usage that names the row that is none */
  constructor(rows: readonly string[], what: string) {
    const wrong = (why: string): HoldfastError => new HoldfastError(ErrorCode.usage, `${what}: ${why}`);
    if (rows.length > addressesMax) throw wrong(`at most ${addressesMax} addresses`);
    for (const row of rows) {
      const match = /^(?<address>[0-9a-fA-F:.]{2,45})(?:\/(?<prefix>\d{1,3}))?$/.exec(row);
      const { address = "", prefix } = match?.groups ?? {};
      const version = isIP(address);
      const most = version === 4 ? 32 : 128;
      if (version === 0 || Number(prefix ?? 0) > most) {
        throw wrong(`${JSON.stringify(row)} is neither an address nor a network like 192.0.2.0/24`);
      }
      if (version === 4) this.#v4.addSubnet(address, Number(prefix ?? most), "ipv4");
      else this.#v6.addSubnet(address, Number(prefix ?? most), "ipv6");
    }
  }

  /** Of what is no address: no. */
  has(address: string): boolean {
    const text = plain(address);
    const version = isIP(text);
    if (version === 4) return this.#v4.check(text, "ipv4");
    return version === 6 && this.#v6.check(text, "ipv6");
  }
}

/** An IPv4 address in IPv6's clothes counts as IPv4. */
function plain(address: string): string {
  return /^::ffff:(?<v4>[0-9.]+)$/i.exec(address)?.groups?.v4 ?? address.split("%")[0] ?? "";
}

/** Both lists, ready to be asked. */
export class AddressRules {
  readonly #allow: AddressSet | undefined;
  readonly #deny: AddressSet | undefined;

  /** @throws HoldfastError usage */
  constructor({ allow, deny }: AddressLists) {
    this.#allow = allow.length === 0 ? undefined : new AddressSet(allow, "allow");
    this.#deny = deny.length === 0 ? undefined : new AddressSet(deny, "deny");
  }

  admits(address: string): boolean {
    if (this.#deny?.has(address) === true) return false;
    return this.#allow === undefined || this.#allow.has(address);
  }
}

/**
 * Where a request really comes from: `peer` is who the connection is with, `forwarded` its X-Forwarded-For. From the end, as far as each is a
 * trusted proxy.
 */
export function realAddress(
  peer: string,
  forwarded: string | undefined,
  trusted: AddressSet | undefined,
): string {
  if (trusted === undefined || forwarded === undefined) return peer;
  let address = peer;
  for (const next of forwarded.split(",").toReversed()) {
    if (!trusted.has(address)) break;
    const text = plain(next.trim());
    // What is no address was not written by a proxy that can be trusted.
    if (isIP(text) === 0) break;
    address = text;
  }
  return address;
}
