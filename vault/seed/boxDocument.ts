// box.json: which box this is, and its key, wrapped for the passphrase and for the datacentre (docs/format.md, section 12.1); and what
// comes from that key.
import { fromHex } from "../bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../errors.ts";
import {
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  fromBase64,
  type JsonObject,
  parseJson,
} from "../jsonFields.ts";
import { openBox, openPublicBox, publicKeyOf, sealBox, sealPublicBox } from "../keys/box.ts";
import { hkdf } from "../keys/hkdf.ts";
import { deriveLogin } from "../keys/kdf.ts";
import { limits } from "../limits.ts";
import { formatVersion, KdfSuite, Width } from "../magic.ts";

export const boxKinds = ["seed", "restore"] as const;
/** seed: carries backups to the datacentre; restore: carries chosen snapshots back. */
export type BoxKind = (typeof boxKinds)[number];

/** A box's groups begin at its number times 65,536. */
export const boxNumberMax = 65_535;

/** The first group of isolated devices that are enrolled at a box. */
export function boxGroupsStart(box: number): number {
  return box * 65_536;
}

export type BoxDatacentre = {
  /** 32 hex digits. */
  readonly id: string;
  readonly name: string;
  /** X25519, base64: what the box key is wrapped for. */
  readonly public: string;
  /** Ed25519 of homes and receipts, 64 hex digits. */
  readonly signer: string;
};

export type BoxDocument = {
  readonly kind: BoxKind;
  readonly box: number;
  /** Gateway id of the box, 32 hex digits. */
  readonly id: string;
  /** RFC 3339. */
  readonly created: string;
  readonly datacentre: BoxDatacentre;
  readonly key: {
    readonly kdf: { readonly suite: 1; readonly iterations: number; readonly salt: string };
    /** The box key under the passphrase's R, base64. */
    readonly passphrase: string;
    /** The box key for the datacentre, base64. */
    readonly datacentre: string;
  };
};

const what = "box.json";

/** The X25519 private key that opens the boxes of a datacentre, from its gateway secret (32 bytes) and id (16 bytes). */
export function boxUnlockKey(secret: Uint8Array, gatewayId: Uint8Array): Buffer {
  return hkdf(secret, gatewayId, "holdfast box unlock v1", Width.key);
}

function contextOf({ datacentre, id }: Pick<BoxDocument, "datacentre" | "id">, kind: string): string {
  return `holdfast/box/${datacentre.id}/${id}/${kind}`;
}

/** A box's document, which wraps its key (32 bytes). `r`: of the passphrase, by `kdf` (salt in base64). */
export function createBoxDocument(
  facts: Pick<BoxDocument, "kind" | "box" | "id" | "created" | "datacentre">,
  boxKey: Uint8Array,
  kdf: BoxDocument["key"]["kdf"],
  r: Uint8Array,
): BoxDocument {
  const { kind, box, id, created, datacentre } = facts;
  const wrapped = sealPublicBox(
    Buffer.from(datacentre.public, "base64"),
    contextOf(facts, "datacentre"),
    boxKey,
  );
  const key = {
    kdf,
    passphrase: sealBox(r, contextOf(facts, "passphrase"), boxKey).toString("base64"),
    datacentre: wrapped.toString("base64"),
  };
  return { kind, box, id, created, datacentre, key };
}

/** The text of box.json. */
export function formatBoxDocument(document: BoxDocument): Buffer {
  const { kind, box, id, created, datacentre, key } = document;
  const head = { format: "holdfast-box", version: formatVersion, kind, box, id, created };
  return Buffer.from(`${JSON.stringify({ ...head, datacentre, key }, null, 1)}\n`);
}

/** @throws HoldfastError corrupt, limit-exceeded; unsupported for a higher version */
export function parseBoxDocument(bytes: Uint8Array): BoxDocument {
  const json = asObject(parseJson(bytes, what), what);
  if (json.format !== "holdfast-box") throw new HoldfastError(ErrorCode.corrupt, `not a ${what}`);
  const version = asInteger(json.version, `version of ${what}`, 1);
  if (version !== formatVersion) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `${what} is of version ${version}, this program knows ${formatVersion}`,
      { next: "Use a newer version of this program." },
    );
  }
  const datacentre = asObject(json.datacentre, `datacentre of ${what}`);
  const key = asObject(json.key, `key of ${what}`);
  const name = asText(datacentre.name, `datacentre's name in ${what}`);
  if (name.length > limits.nameBytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `the datacentre's name in ${what} is too long`);
  }
  return {
    kind: parseBoxKind(json.kind),
    box: asInteger(json.box, `number in ${what}`, 1, boxNumberMax),
    id: asHex(json.id, `id in ${what}`, 16),
    created: asTime(json.created, `created in ${what}`),
    datacentre: {
      id: asHex(datacentre.id, `datacentre's id in ${what}`, 16),
      name,
      public: asKeyText(datacentre.public, `datacentre's public key in ${what}`),
      signer: asHex(datacentre.signer, `datacentre's signer in ${what}`, 32),
    },
    key: {
      kdf: parseKdf(asObject(key.kdf, `kdf of ${what}`)),
      passphrase: fromBase64(key.passphrase, `key in ${what}`).toString("base64"),
      datacentre: fromBase64(key.datacentre, `key in ${what}`).toString("base64"),
    },
  };
}

/** @throws HoldfastError unsupported for a kind that is not known */
export function parseBoxKind(value: unknown): BoxKind {
  const kind = boxKinds.find((known) => known === value);
  if (kind === undefined) throw new HoldfastError(ErrorCode.unsupported, "a box of an unknown kind");
  return kind;
}

function parseKdf(json: JsonObject): BoxDocument["key"]["kdf"] {
  const suite = asInteger(json.suite, `kdf of ${what}`, 0);
  if (suite !== KdfSuite.pbkdf2HmacSha512) {
    throw new HoldfastError(ErrorCode.unsupported, `KDF suite ${suite} is not known to this program`);
  }
  return {
    suite,
    iterations: asInteger(json.iterations, `iterations of ${what}`, 1, limits.kdfIterationsMax),
    salt: asKeyText(json.salt, `salt of ${what}`),
  };
}

/** 32 bytes in base64. */
function asKeyText(value: unknown, name: string): string {
  const bytes = fromBase64(value, name);
  if (bytes.length !== Width.key)
    throw new HoldfastError(ErrorCode.corrupt, `${name} has ${bytes.length} bytes`);
  return bytes.toString("base64");
}

/**
 * The box key (32 bytes), by the passphrase.
 * @throws HoldfastError key-wrong; kdf-weak, seal-invalid, truncated, corrupt for a document that was tampered with
 */
export async function openBoxKey(document: BoxDocument, passphrase: string): Promise<Buffer> {
  const { kdf } = document.key;
  const { l, r } = await deriveLogin(passphrase, { ...kdf, salt: Buffer.from(kdf.salt, "base64") });
  l.fill(0);
  try {
    return checkedKey(
      openBox(r, contextOf(document, "passphrase"), Buffer.from(document.key.passphrase, "base64")),
    );
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.keyWrong)) throw error;
    throw new HoldfastError(
      ErrorCode.keyWrong,
      `this is not the passphrase of box ${document.box} of ${document.datacentre.name}`,
      { next: "Look up the passphrase that was given when this box was prepared.", cause: error },
    );
  } finally {
    r.fill(0);
  }
}

/**
 * The box key (32 bytes), by its datacentre's unlock key (`boxUnlockKey`).
 * @throws HoldfastError key-wrong for a box of another datacentre; seal-invalid, truncated, corrupt
 */
export function openBoxKeyAtDatacentre(document: BoxDocument, unlockKey: Uint8Array): Buffer {
  const box = Buffer.from(document.key.datacentre, "base64");
  return checkedKey(openPublicBox(unlockKey, publicKeyOf(unlockKey), contextOf(document, "datacentre"), box));
}

function checkedKey(key: Buffer): Buffer {
  if (key.length === Width.key) return key;
  throw new HoldfastError(ErrorCode.corrupt, `the box key has ${key.length} bytes`);
}

/** The private half of the box gateway's recovery key (32 bytes), of which its gateway secret comes. */
export function boxRecoveryKey(boxKey: Uint8Array, id: string): Buffer {
  return hkdf(boxKey, fromHex(id, 16), "holdfast box recovery v1", Width.key);
}

/**
 * The key of a database of the box, as LMDB takes it: 32 characters. `name`: its folder below the data directory, with `/` between parts.
 */
export function boxDatabaseKey(boxKey: Uint8Array, id: string, name: string): string {
  return hkdf(boxKey, fromHex(id, 16), `holdfast box database v1 ${name}`, 24).toString("base64");
}

function secretsKey(boxKey: Uint8Array, id: string): { key: Buffer; context: string } {
  return {
    key: hkdf(boxKey, fromHex(id, 16), "holdfast box secrets v1", Width.key),
    context: `holdfast/box/${id}/secrets`,
  };
}

/** The bytes of gateway/secrets.sealed for JSON text. */
export function sealBoxSecrets(boxKey: Uint8Array, id: string, text: Uint8Array): Buffer {
  const { key, context } = secretsKey(boxKey, id);
  return sealBox(key, context, text);
}

/** The JSON text in gateway/secrets.sealed. @throws HoldfastError key-wrong, seal-invalid, truncated, limit-exceeded */
export function openBoxSecrets(boxKey: Uint8Array, id: string, sealed: Uint8Array): Buffer {
  const { key, context } = secretsKey(boxKey, id);
  return openBox(key, context, sealed, limits.documentBytesMax);
}
