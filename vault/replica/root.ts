// Roots: what a replica holds of a vault, or of the gateway's own state, at one generation (docs/format.md, section 11.2).
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { requireKnownFeatures } from "../features.ts";
import { asFlags, asHex, asInteger, asObject, asText, asTime, type JsonObject } from "../jsonFields.ts";
import { derive, hkdf } from "../keys/hkdf.ts";
import { limits } from "../limits.ts";
import { formatVersion, Width } from "../magic.ts";
import { encodeProvenLine, parseLine, splitProvenLine } from "./provenLine.ts";

const hashBytes = 32;
const macBytes = 32;
const idBytes = 16;
export const generationMax = 9_999_999_999;

/** An object that a root names: `name` is relative to the chain's folder, `sha256` hex. */
export type NamedObject = { readonly name: string; readonly bytes: number; readonly sha256: string };

type AnyRoot = {
  /** Id of the vault or gateway, 32 hex digits. */
  readonly id: string;
  /** From 1. */
  readonly generation: number;
  /** SHA-256 of the root object before, hex; zeros for the first. */
  readonly previous: string;
  /** The data directory that wrote it, 32 hex digits. */
  readonly writer: string;
  readonly fence: number;
  /** Random, 32 hex digits. */
  readonly nonce: string;
  /** RFC 3339. */
  readonly time: string;
  readonly features: { readonly read: readonly string[] };
};

export type VaultRoot = AnyRoot & {
  readonly chain: "vault";
  readonly document: NamedObject;
  readonly keys: NamedObject;
  readonly catalog: NamedObject;
  readonly manifest: NamedObject;
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
  /** Hex. */
  readonly merkle: string;
};

export type GatewayRoot = AnyRoot & {
  readonly chain: "gateway";
  readonly sealed: NamedObject;
  readonly catalog: NamedObject;
};

export type Root = VaultRoot | GatewayRoot;

export const noPrevious = "00".repeat(hashBytes);

/** The key that proves a vault's roots, from its metadata key and id (16 bytes). */
export function vaultRootKey(metadataKey: Uint8Array, vaultId: Uint8Array): Buffer {
  return derive(metadataKey, vaultId, "holdfast root v1");
}

/** The key that proves the roots of the gateway's own chain, from its secret (32 bytes) and id (16 bytes). */
export function gatewayRootKey(secret: Uint8Array, gatewayId: Uint8Array): Buffer {
  return hkdf(secret, gatewayId, "holdfast root v1", Width.key);
}

/** SHA-256 of a whole root object, hex: what the next one calls `previous`. */
export function rootHash(object: Uint8Array): string {
  return createHash("sha256").update(object).digest("hex");
}

function mac(key: Uint8Array, line: Uint8Array): Buffer {
  return createHmac("sha256", key).update(line).digest();
}

/** The root object. */
export function encodeRoot(root: Root, key: Uint8Array): Buffer {
  const { chain, id, generation, previous, writer, fence, nonce, time, features } = root;
  const head = { format: "holdfast-root", version: formatVersion, chain, id, generation, previous, writer };
  const rest = { fence, nonce, time, features: { read: features.read } };
  const named =
    root.chain === "gateway"
      ? { sealed: root.sealed, catalog: root.catalog }
      : {
          document: root.document,
          keys: root.keys,
          catalog: root.catalog,
          manifest: root.manifest,
          packs: root.packs,
          packBytes: root.packBytes,
          snapshots: root.snapshots,
          merkle: root.merkle,
        };
  return encodeProvenLine({ ...head, ...rest, ...named }, (line) => mac(key, line));
}

/** Which root is meant; another one in its place is refused. */
export type ExpectedRoot = {
  readonly chain: Root["chain"];
  readonly id: string;
  readonly generation: number;
};

/**
 * Reads a root object, and checks its MAC first, where the key is known.
 * @throws HoldfastError seal-invalid when it was made with another key or changed; corrupt, truncated, limit-exceeded; unsupported
 */
export function parseRoot(
  bytes: Uint8Array,
  expected: ExpectedRoot & { readonly chain: "vault" },
  key: Uint8Array | undefined,
): VaultRoot;
export function parseRoot(
  bytes: Uint8Array,
  expected: ExpectedRoot & { readonly chain: "gateway" },
  key: Uint8Array | undefined,
): GatewayRoot;
export function parseRoot(bytes: Uint8Array, expected: ExpectedRoot, key: Uint8Array | undefined): Root;
export function parseRoot(bytes: Uint8Array, expected: ExpectedRoot, key: Uint8Array | undefined): Root {
  const { line, proof } = splitProvenLine(bytes, macBytes, "a root");
  if (key !== undefined && !timingSafeEqual(mac(key, line), proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, "a root was changed, or is of another vault or gateway");
  }
  const json = parseLine(line, "a root");
  if (json.format !== "holdfast-root") throw new HoldfastError(ErrorCode.corrupt, "not a root");
  const version = asInteger(json.version, "version of a root", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `a root of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  const features = asFlags(asObject(json.features, "features of a root").read, "features.read of a root");
  requireKnownFeatures(features, "read", "this replica");
  const any: AnyRoot = {
    id: asHex(json.id, "id of a root", idBytes),
    generation: asInteger(json.generation, "generation of a root", 1, generationMax),
    previous: asHex(json.previous, "previous of a root", hashBytes),
    writer: asHex(json.writer, "writer of a root", idBytes),
    fence: asInteger(json.fence, "fence of a root", 0),
    nonce: asHex(json.nonce, "nonce of a root", idBytes),
    time: asTime(json.time, "time of a root"),
    features: { read: features },
  };
  const { chain, id, generation } = expected;
  if (json.chain !== chain || any.id !== id || any.generation !== generation) {
    throw new HoldfastError(ErrorCode.corrupt, "a root of another chain or generation stands here");
  }
  if ((any.generation === 1) !== (any.previous === noPrevious)) {
    throw new HoldfastError(ErrorCode.corrupt, "a root names no previous one, or is the first and does");
  }
  return chain === "gateway" ? gatewayRoot(any, json) : vaultRoot(any, json);
}

function gatewayRoot(any: AnyRoot, json: JsonObject): GatewayRoot {
  return {
    chain: "gateway",
    ...any,
    sealed: contentNamed(json.sealed, "sealed", limits.documentBytesMax),
    catalog: contentNamed(json.catalog, "catalog", limits.catalogBytesMax),
  };
}

function vaultRoot(any: AnyRoot, json: JsonObject): VaultRoot {
  const topBytesMax = Width.manifestHeader + limits.manifestPagesMax * Width.manifestTopRow;
  return {
    chain: "vault",
    ...any,
    document: named(json.document, "document", /^vault(-[0-9a-f]{1,64})?\.json$/, limits.documentBytesMax),
    keys: named(json.keys, "keys", /^keys\/[0-9]{8}(-[0-9a-f]{1,64})?\.json$/, limits.documentBytesMax),
    catalog: contentNamed(json.catalog, "catalog", limits.catalogBytesMax),
    manifest: contentNamed(json.manifest, "manifest", topBytesMax),
    packs: asInteger(json.packs, "packs of a root", 0),
    packBytes: asInteger(json.packBytes, "packBytes of a root", 0),
    snapshots: asInteger(json.snapshots, "snapshots of a root", 0),
    merkle: asHex(json.merkle, "merkle of a root", hashBytes),
  };
}

function named(value: unknown, member: string, form: RegExp, bytesMax: number): NamedObject {
  const what = `${member} of a root`;
  const json = asObject(value, what);
  const name = asText(json.name, what);
  if (!form.test(name)) throw new HoldfastError(ErrorCode.corrupt, `${what} has a name that it cannot have`);
  return {
    name,
    bytes: asInteger(json.bytes, what, 1, bytesMax),
    sha256: asHex(json.sha256, what, hashBytes),
  };
}

/** An object in the folder that its member is called after, named by its hash. */
function contentNamed(value: unknown, member: string, bytesMax: number): NamedObject {
  const object = named(value, member, /^[a-z]+\/[0-9a-f]{64}$/, bytesMax);
  if (object.name !== `${member}/${object.sha256}`) {
    throw new HoldfastError(ErrorCode.corrupt, `${member} of a root is not named by its hash`);
  }
  return object;
}
