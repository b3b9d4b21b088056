// What a key says of its object, as far as a peer without keys can hold a pusher to it (docs/format.md, section 11.1).

import { peerLimits } from "../../ingest/wire/peer.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { markerName } from "../replica/folder/marker.ts";
import { checkKey } from "../replica/keys.ts";

export type KeyForm = {
  /** Folder of the chain that it belongs to, with its slash; undefined outside of the layout. */
  readonly folder: string | undefined;
  /** What its part of the layout is called: "packs", "root", ...; undefined for documents and what is outside. */
  readonly kind: string | undefined;
  /** SHA-256 that its bytes must have, hex, where the key is named by it. */
  readonly sha256: string | undefined;
  /** Of a root. */
  readonly generation: number | undefined;
};

const chain = /^(?<folder>gateway\/|vaults\/[0-9a-f]{32}\/)(?<rest>.+)$/;
const namedParts = /^(?<kind>packs|snapshots|index|manifest|catalog|sealed)\/(?<name>.*)$/;
const rootName = /^root\/(?<generation>[0-9]{10})$/;

/**
 * Reads a key of a peer's object.
 * @throws HoldfastError usage for what is no key, is too long, or stands in a place of the layout where such names are not
 */
export function readKey(key: string): KeyForm {
  if (checkKey(key) === markerName) throw new HoldfastError(ErrorCode.usage, `${key} is no object's key`);
  const parts = key.split("/");
  if (
    key.length > peerLimits.keyBytesMax ||
    parts.length > peerLimits.keyPartsMax ||
    parts.some((part) => part.length > peerLimits.keyPartBytesMax)
  ) {
    throw new HoldfastError(ErrorCode.usage, "a key is longer or deeper than peers take");
  }
  const { folder, rest = "" } = chain.exec(key)?.groups ?? {};
  if (folder === undefined) return { folder, kind: undefined, sha256: undefined, generation: undefined };
  if (/^root(\/|$)/.test(rest)) return rootForm(folder, rest);
  const { kind, name = "" } = namedParts.exec(rest)?.groups ?? {};
  if (kind === undefined) return { folder, kind, sha256: undefined, generation: undefined };
  const sha256 = kind === "packs" ? packName(name) : name;
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new HoldfastError(ErrorCode.usage, `objects in ${kind}/ are named by their SHA-256`);
  }
  return { folder, kind, sha256, generation: undefined };
}

function rootForm(folder: string, rest: string): KeyForm {
  const generation = Number(rootName.exec(rest)?.groups?.generation);
  if (!(generation >= 1)) throw new HoldfastError(ErrorCode.usage, "a root is named by ten digits");
  return { folder, kind: "root", sha256: undefined, generation };
}

/** The hash of `ab/abc...`; undefined where the folder is not that of the name. */
function packName(name: string): string | undefined {
  return name[2] === "/" && name.startsWith(name.slice(0, 2), 3) ? name.slice(3) : undefined;
}

/** A prefix to list: empty, or a key and a slash. @throws HoldfastError usage */
export function checkPrefix(prefix: string): string {
  if (prefix === "") return prefix;
  if (!prefix.endsWith("/") || prefix.length > peerLimits.keyBytesMax) {
    throw new HoldfastError(ErrorCode.usage, "a prefix is empty or ends with a slash");
  }
  checkKey(prefix.slice(0, -1));
  return prefix;
}
