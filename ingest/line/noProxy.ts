// Hosts that no proxy leads to: the list of NO_PROXY, read as curl does (docs/network.md says what holds). Names are compared as they are
// written: nothing is looked up.

import { BlockList, isIP, isIPv4 } from "node:net";

type Entry = {
  /** Undefined: every port. */
  readonly port: number | undefined;
  readonly covers: (host: string) => boolean;
};

export class NoProxy {
  readonly #entries: readonly Entry[];

  /** `list`: entries between commas or spaces. What is no entry covers nothing. */
  constructor(list: string) {
    this.#entries = list
      .split(/[\s,]+/)
      .map((text) => entryOf(text.toLowerCase()))
      .filter((entry) => entry !== undefined);
  }

  covers(host: string, port: number): boolean {
    const plain = plainHost(host);
    return this.#entries.some(
      (entry) => (entry.port === undefined || entry.port === port) && entry.covers(plain),
    );
  }
}

/** A host as lists compare it: in small letters, without brackets and without the dot at its end. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}

/** As isIP, which has Node compile a large expression for what may be of version 6: a hundredth of a second of every command's start. */
function versionOf(text: string): number {
  if (text.includes(":")) return isIP(text);
  return isIPv4(text) ? 4 : 0;
}

function entryOf(text: string): Entry | undefined {
  if (text === "*") return { port: undefined, covers: () => true };
  // Colons are of the address, unless it stands in brackets.
  if (versionOf(text.split("/")[0] as string) === 6) return addressEntry(text, undefined);
  const match = /^(?:\[(?<six>[^[\]]+)\]|(?<host>[^:[\]]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const { six, host, port } = match.groups ?? {};
  const only = port === undefined ? undefined : Number(port);
  if (six !== undefined) return versionOf(six) === 6 ? addressEntry(six, only) : undefined;
  return addressEntry(host as string, only) ?? nameEntry(host as string, only);
}

/** An address, or a network in the form ADDRESS/BITS. */
function addressEntry(text: string, port: number | undefined): Entry | undefined {
  const [address = "", bits, ...more] = text.split("/");
  const version = versionOf(address);
  if (version === 0 || more.length > 0) return undefined;
  const [family, most] = version === 6 ? (["ipv6", 128] as const) : (["ipv4", 32] as const);
  const list = new BlockList();
  if (bits === undefined) list.addAddress(address, family);
  else if (/^\d{1,3}$/.test(bits) && Number(bits) <= most) list.addSubnet(address, Number(bits), family);
  else return undefined;
  return { port, covers: (host) => versionOf(host) === version && list.check(host, family) };
}

/** A name covers itself and all below it. */
function nameEntry(text: string, port: number | undefined): Entry | undefined {
  const name = plainHost(text.replace(/^(?:\*?\.)/, ""));
  if (name === "" || /[/*]/.test(name)) return undefined;
  return { port, covers: (host) => versionOf(host) === 0 && `.${host}`.endsWith(`.${name}`) };
}
