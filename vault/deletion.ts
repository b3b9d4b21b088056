// What a gateway says that it erased of an account (docs/format.md, section 13).
import { ErrorCode, HoldfastError } from "./errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime, parseJson } from "./jsonFields.ts";
import { isSignedBy, type SigningKey, signatureBytes } from "./keys/signature.ts";
import { limits } from "./limits.ts";
import { formatVersion, Width } from "./magic.ts";
import { encodeProvenLine, splitProvenLine } from "./replica/provenLine.ts";

export type DeletedVault = {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the keys documents, hex. */
  readonly keys: readonly string[];
  readonly snapshots: number;
  readonly packs: number;
  readonly bytes: number;
};

export type Deletion = {
  /** 32 hex digits each. */
  readonly gateway: string;
  readonly account: string;
  readonly name: string;
  /** RFC 3339. */
  readonly begun: string;
  readonly time: string;
  readonly devices: number;
  readonly appPasswords: number;
  readonly vaults: readonly DeletedVault[];
  readonly remains: readonly {
    readonly replica: string;
    readonly url: string;
    readonly vaults: readonly string[];
  }[];
};

const what = "a deletion statement";
const vaultsMax = 1000;
const keysMax = 100_000;
const replicasMax = 1000;

/** Both lines, in the key's name. */
export function signDeletion(deletion: Deletion, key: SigningKey): Buffer {
  const { gateway, account, name, begun, time, devices, appPasswords, vaults, remains } = deletion;
  const head = { format: "holdfast-deletion", version: formatVersion, gateway, account, name, begun, time };
  return encodeProvenLine(
    { ...head, devices, appPasswords, vaults, remains, signer: key.publicKey },
    (line) => key.sign(line),
    limits.signedBytesMax,
  );
}

/**
 * Reads a statement that `signer` (64 hex digits) signed.
 * @throws HoldfastError seal-invalid when another key signed it or it was changed; corrupt, truncated, limit-exceeded, unsupported
 */
export function openDeletion(bytes: Uint8Array, signer: string): Deletion {
  const { line, proof } = splitProvenLine(bytes, signatureBytes, what, limits.signedBytesMax);
  if (!isSignedBy(signer, line, proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, `${what} was changed, or signed by another key`);
  }
  const json = asObject(parseJson(line, what, limits.signedBytesMax), what);
  if (json.format !== "holdfast-deletion") throw new HoldfastError(ErrorCode.corrupt, `not ${what}`);
  if (asInteger(json.version, `version of ${what}`, 1) !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} of another version`, {
      next: "Use a newer version of this program.",
    });
  }
  if (json.signer !== signer) throw new HoldfastError(ErrorCode.corrupt, `${what} names another signer`);
  const id = (value: unknown): string => asHex(value, `vault of ${what}`, Width.vaultId);
  return {
    gateway: asHex(json.gateway, `gateway of ${what}`, 16),
    account: asHex(json.account, `account of ${what}`, 16),
    name: asText(json.name, `name of ${what}`),
    begun: asTime(json.begun, `begun of ${what}`),
    time: asTime(json.time, `time of ${what}`),
    devices: asInteger(json.devices, `devices of ${what}`, 0),
    appPasswords: asInteger(json.appPasswords, `appPasswords of ${what}`, 0),
    vaults: asArray(json.vaults, `vaults of ${what}`, vaultsMax).map((each) => {
      const vault = asObject(each, `vault of ${what}`);
      return {
        id: id(vault.id),
        name: asText(vault.name, `vault of ${what}`),
        keys: asArray(vault.keys, `keys of ${what}`, keysMax).map((hash) =>
          asHex(hash, `keys of ${what}`, 32),
        ),
        snapshots: asInteger(vault.snapshots, `snapshots of ${what}`, 0),
        packs: asInteger(vault.packs, `packs of ${what}`, 0),
        bytes: asInteger(vault.bytes, `bytes of ${what}`, 0),
      };
    }),
    remains: asArray(json.remains, `remains of ${what}`, replicasMax).map((each) => {
      const row = asObject(each, `remains of ${what}`);
      return {
        replica: asText(row.replica, `replica of ${what}`),
        url: asText(row.url, `url of ${what}`),
        vaults: asArray(row.vaults, `vaults of ${what}`, vaultsMax).map(id),
      };
    }),
  };
}
