// vault.json: what a vault is (docs/format.md section 3).
import { ErrorCode, HoldfastError } from "./errors.ts";
import { type Operation, requireKnownFeatures } from "./features.ts";
import { asFlags, asHex, asInteger, asObject, asText, asTime, parseJson } from "./jsonFields.ts";
import { limits } from "./limits.ts";
import { formatVersion, Width } from "./magic.ts";

export type VaultDocument = {
  readonly format: "holdfast-vault";
  readonly version: 1;
  /** 32 hex digits. */
  readonly id: string;
  /** Id of the account that owns it, 32 hex digits. */
  readonly account: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly features: Readonly<Record<Operation, readonly string[]>>;
  readonly chunker: {
    readonly id: string;
    readonly minBytes: number;
    readonly normalBytes: number;
    readonly maxBytes: number;
  };
};

const accountIdBytes = 16;

/** The document of a new vault. `created` is an RFC 3339 time. */
export function createVaultDocument(vault: {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly created: string;
}): VaultDocument {
  return {
    format: "holdfast-vault",
    version: 1,
    id: vault.id,
    account: vault.account,
    name: vault.name,
    created: vault.created,
    features: { read: [], write: [], gc: [], verify: [] },
    chunker: {
      id: "fastcdc-1",
      minBytes: limits.chunkBytesMin,
      normalBytes: limits.chunkBytesNormal,
      maxBytes: limits.chunkBytesMax,
    },
  };
}

/**
 * Parses vault.json. Unknown feature flags are kept: requireFeatures refuses them per operation.
 * @throws HoldfastError corrupt, limit-exceeded; unsupported for a higher version
 */
export function parseVaultDocument(text: string | Uint8Array): VaultDocument {
  const json = asObject(parseJson(text, "vault.json"), "vault.json");
  if (json.format !== "holdfast-vault")
    throw new HoldfastError(ErrorCode.corrupt, "not a vault.json of Holdfast");
  const version = asInteger(json.version, "version of vault.json", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `this vault has format version ${version}; this program knows 1`,
      {
        next: "Use a newer version of this program.",
        detail: { version },
      },
    );
  }
  const features = asObject(json.features, "features");
  const chunker = asObject(json.chunker, "chunker");
  return {
    format: "holdfast-vault",
    version: 1,
    id: asHex(json.id, "vault id", Width.vaultId),
    account: asHex(json.account, "account id", accountIdBytes),
    name: asText(json.name, "vault name"),
    created: asTime(json.created, "created"),
    features: {
      read: asFlags(features.read, "features.read"),
      write: asFlags(features.write, "features.write"),
      gc: asFlags(features.gc, "features.gc"),
      verify: asFlags(features.verify, "features.verify"),
    },
    chunker: {
      id: asText(chunker.id, "chunker id"),
      minBytes: asInteger(chunker.minBytes, "chunker minBytes", 1, limits.plainBytesMax),
      normalBytes: asInteger(chunker.normalBytes, "chunker normalBytes", 1, limits.plainBytesMax),
      maxBytes: asInteger(chunker.maxBytes, "chunker maxBytes", 1, limits.plainBytesMax),
    },
  };
}

/**
 * Refuses an operation that this program does not know how to do on the vault; to write also needs its chunker.
 * @throws HoldfastError unsupported that names what is not known
 */
export function requireFeatures(document: VaultDocument, operation: Operation): void {
  requireKnownFeatures(document.features[operation], operation, "this vault");
  if (operation !== "write") return;
  const { id, minBytes, normalBytes, maxBytes } = document.chunker;
  const ours = createVaultDocument(document).chunker;
  if (
    id !== ours.id ||
    minBytes !== ours.minBytes ||
    normalBytes !== ours.normalBytes ||
    maxBytes !== ours.maxBytes
  ) {
    const name = `${id.slice(0, 100)} ${minBytes}/${normalBytes}/${maxBytes}`;
    throw new HoldfastError(
      ErrorCode.unsupported,
      `this vault is cut by a chunker that is not known here: ${name}`,
    );
  }
}
