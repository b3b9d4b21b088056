// The manifest of a sealed box: what is on board, signed by the box (docs/format.md, section 12.2).
import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asArray, asHex, asInteger, asObject, asTime, type JsonObject } from "../jsonFields.ts";
import { hkdf } from "../keys/hkdf.ts";
import { isSignedBy, type SigningKey, signatureBytes } from "../keys/signature.ts";
import { limits } from "../limits.ts";
import { formatVersion, Width } from "../magic.ts";
import { encodeProvenLine, parseLine, splitProvenLine } from "../replica/provenLine.ts";
import { type BoxKind, boxNumberMax, parseBoxKind } from "./boxDocument.ts";

export const seedLists = ["packs", "snapshots", "chunks", "catalog", "keys"] as const;
export type SeedListName = (typeof seedLists)[number];

/** A list's file. */
export type SeedList = { readonly bytes: number; readonly sha256: string };

export type SeedVault = {
  /** 32 hex digits each. */
  readonly id: string;
  readonly account: string;
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
  /** Distinct prefixes of ids. */
  readonly chunks: number;
  readonly lists: Readonly<Record<SeedListName, SeedList>>;
};

export type SeedManifest = {
  readonly kind: BoxKind;
  readonly box: number;
  /** Gateway id of the box, 32 hex digits. */
  readonly id: string;
  /** Gateway id of its datacentre. */
  readonly datacentre: string;
  /** How often this box was sealed, this time included. */
  readonly seal: number;
  /** RFC 3339. */
  readonly time: string;
  readonly vaults: readonly SeedVault[];
  readonly custody: { readonly entries: number; readonly sha256: string };
};

const what = "a box's manifest";

/** The seed of the key that a box signs manifests with, from its gateway secret (32 bytes) and id (16 bytes). */
export function seedSigningSeed(secret: Uint8Array, boxId: Uint8Array): Buffer {
  return hkdf(secret, boxId, "holdfast seed v1", Width.key);
}

/** Both lines. A manifest over its limits is a RangeError. */
export function signSeedManifest(manifest: SeedManifest, key: SigningKey): Buffer {
  const { kind, box, id, datacentre, seal, time, vaults, custody } = manifest;
  const head = { format: "holdfast-seed", version: formatVersion, kind, box, id, datacentre };
  return encodeProvenLine(
    { ...head, signer: key.publicKey, seal, time, vaults, custody },
    (line) => key.sign(line),
    limits.signedBytesMax,
  );
}

/** SHA-256 of a manifest's bytes, hex: what names it. */
export function manifestHash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * What a manifest claims, before anything of it is proven: to look up who must have signed it.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, unsupported
 */
export function claimedManifest(bytes: Uint8Array): SeedManifest {
  const { line } = splitProvenLine(bytes, signatureBytes, what, limits.signedBytesMax);
  return parseManifest(parseLine(line, what));
}

/**
 * Reads a manifest that `signer` (64 hex digits) signed.
 * @throws HoldfastError seal-invalid when another key signed it or it was changed; corrupt, truncated, limit-exceeded, unsupported
 */
export function openSeedManifest(bytes: Uint8Array, signer: string): SeedManifest {
  const { line, proof } = splitProvenLine(bytes, signatureBytes, what, limits.signedBytesMax);
  if (!isSignedBy(signer, line, proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, `${what} was changed, or signed by another key`);
  }
  const json = parseLine(line, what);
  if (json.signer !== signer) throw new HoldfastError(ErrorCode.corrupt, `${what} names another signer`);
  return parseManifest(json);
}

function parseManifest(json: JsonObject): SeedManifest {
  if (json.format !== "holdfast-seed") throw new HoldfastError(ErrorCode.corrupt, `not ${what}`);
  const version = asInteger(json.version, `version of ${what}`, 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  const custody = asObject(json.custody, `custody of ${what}`);
  const vaults = asArray(json.vaults, `vaults of ${what}`, limits.seedVaultsMax).map(parseVault);
  if (new Set(vaults.map(({ id }) => id)).size < vaults.length) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} has a vault twice`);
  }
  return {
    kind: parseBoxKind(json.kind),
    box: asInteger(json.box, `box of ${what}`, 1, boxNumberMax),
    id: asHex(json.id, `id of ${what}`, 16),
    datacentre: asHex(json.datacentre, `datacentre of ${what}`, 16),
    seal: asInteger(json.seal, `seal of ${what}`, 1),
    time: asTime(json.time, `time of ${what}`),
    vaults,
    custody: {
      entries: asInteger(custody.entries, `custody of ${what}`, 0, limits.custodyLinesMax),
      sha256: asHex(custody.sha256, `custody of ${what}`, 32),
    },
  };
}

function parseVault(value: unknown): SeedVault {
  const json = asObject(value, `vault of ${what}`);
  const lists = asObject(json.lists, `lists of ${what}`);
  const count = (name: string): number => asInteger(json[name], `${name} of ${what}`, 0);
  const list = (name: SeedListName): SeedList => {
    const row = asObject(lists[name], `list of ${what}`);
    return {
      bytes: asInteger(row.bytes, `bytes of ${what}`, 0),
      sha256: asHex(row.sha256, `sha256 of ${what}`, 32),
    };
  };
  return {
    id: asHex(json.id, `vault of ${what}`, Width.vaultId),
    account: asHex(json.account, `account of ${what}`, 16),
    packs: count("packs"),
    packBytes: count("packBytes"),
    snapshots: count("snapshots"),
    chunks: count("chunks"),
    lists: {
      packs: list("packs"),
      snapshots: list("snapshots"),
      chunks: list("chunks"),
      catalog: list("catalog"),
      keys: list("keys"),
    },
  };
}
