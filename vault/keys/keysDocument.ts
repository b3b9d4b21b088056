// keys/<generation>.json: the vault's secrets, wrapped for everyone who may open it (docs/format.md section 4).
//
// Documents are values: every change returns a new one with the next generation. Ids in them are hex.
import { randomBytes } from "node:crypto";
import { fromHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  fromBase64,
  type JsonObject,
  parseJson,
} from "../jsonFields.ts";
import { limits } from "../limits.ts";
import { formatVersion, KdfSuite, Width } from "../magic.ts";
import { boxOverhead, openBox, openPublicBox, publicBoxOverhead, sealBox, sealPublicBox } from "./box.ts";
import { type KdfParameters, kdfSaltBytes } from "./kdf.ts";
import {
  type DeviceWrap,
  type KeysDocument,
  type KeysWrap,
  type PasswordWrap,
  wrapContext,
} from "./keysTypes.ts";
import { encodeRing, type OpenedKeys, openRing, ringContext, ringKey, wrappingKeyBytes } from "./ring.ts";

const accountIdBytes = 16;
const generationMax = 99_999_999; // 8 digits in the file's name

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

// --- parsing ---

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `keys document: ${what}`);
}

/** A base64 text of exactly `bytes` bytes, as text. */
function asBase64(value: unknown, what: string, bytes: number): string {
  const found = fromBase64(value, what);
  if (found.length !== bytes) throw corrupt(`${what} has ${found.length} bytes, not ${bytes}`);
  return value as string;
}

function parseWrap(value: unknown): KeysWrap {
  const json = asObject(value, "wrap");
  const kind = asText(json.kind, "wrap kind");
  switch (kind) {
    case "password":
      return {
        kind,
        kdf: parseKdf(asObject(json.kdf, "kdf")),
        box: asBase64(json.box, "password box", boxOverhead + wrappingKeyBytes),
      };
    case "recovery":
      return { kind, ...parsePublicWrap(json) };
    case "device":
      return { kind, device: asHex(json.device, "device id", Width.deviceId), ...parsePublicWrap(json) };
    default: {
      // Dropping it would lose someone's access at the next change; so it is not read at all.
      const name = JSON.stringify(kind.slice(0, 100));
      throw new HoldfastError(
        ErrorCode.unsupported,
        `keys are wrapped in a way that is not known here: ${name}`,
      );
    }
  }
}

function parseKdf(json: JsonObject): PasswordWrap["kdf"] {
  const suite = asInteger(json.suite, "KDF suite", 1);
  if (suite !== KdfSuite.pbkdf2HmacSha512) {
    throw new HoldfastError(ErrorCode.unsupported, `KDF suite ${suite} is not known to this program`);
  }
  return {
    suite,
    iterations: asInteger(json.iterations, "KDF iterations", 1, limits.kdfIterationsMax),
    salt: asBase64(json.salt, "KDF salt", kdfSaltBytes),
  };
}

function parsePublicWrap(json: JsonObject): { public: string; box: string } {
  return {
    public: asBase64(json.public, "public key", Width.key),
    box: asBase64(json.box, "public box", publicBoxOverhead + wrappingKeyBytes),
  };
}

/** Who a wrap is for: at most one wrap each. */
function holderOf(wrap: KeysWrap): string {
  return wrap.kind === "device" ? `device/${wrap.device}` : wrap.kind;
}

/**
 * Parses a keys document: its text, its UTF-8 bytes, or already parsed JSON.
 * @throws HoldfastError corrupt, limit-exceeded; unsupported for a higher version, KDF suite or unknown kind of wrap
 */
export function parseKeysDocument(input: unknown): KeysDocument {
  const isText = typeof input === "string" || input instanceof Uint8Array;
  const json = asObject(isText ? parseJson(input, "keys document") : input, "keys document");
  if (json.format !== "holdfast-keys") throw corrupt("not a keys document of Holdfast");
  const version = asInteger(json.version, "version of the keys document", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `the keys document has version ${version}; this program knows 1`,
      {
        next: "Use a newer version of this program.",
      },
    );
  }
  const wraps = asArray(json.wraps, "wraps", limits.wrapsMax).map(parseWrap);
  if (new Set(wraps.map(holderOf)).size < wraps.length) throw corrupt("two wraps for the same holder");
  const ring = asText(json.ring, "ring");
  if (fromBase64(ring, "ring").length < boxOverhead) throw corrupt("ring is too short");
  return {
    format: "holdfast-keys",
    version: 1,
    vault: asHex(json.vault, "vault id", Width.vaultId),
    account: asHex(json.account, "account id", accountIdBytes),
    generation: asInteger(json.generation, "generation", 1, generationMax),
    epoch: asInteger(json.epoch, "epoch", 1, 0xffff_ffff),
    ring,
    wraps,
  };
}

// --- opening ---

function findWrap<Kind extends KeysWrap["kind"]>(
  document: KeysDocument,
  kind: Kind,
): Extract<KeysWrap, { kind: Kind }> | undefined {
  return document.wraps.find((wrap): wrap is Extract<KeysWrap, { kind: Kind }> => wrap.kind === kind);
}

function noWrap(what: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.keyWrong, `the vault's keys are not wrapped for ${what}`, { next });
}

/** The KDF parameters of the password wrap, or undefined without one. */
export function passwordKdf(document: KeysDocument): KdfParameters | undefined {
  const kdf = findWrap(document, "password")?.kdf;
  return kdf === undefined ? undefined : { ...kdf, salt: Buffer.from(kdf.salt, "base64") };
}

/**
 * Opens with R (24 bytes, of deriveLogin).
 * @throws HoldfastError key-wrong; seal-invalid or corrupt for a damaged document
 */
export function openWithPassword(document: KeysDocument, r: Uint8Array): OpenedKeys {
  const wrap = findWrap(document, "password");
  if (wrap === undefined) throw noWrap("a password", "Open the vault with its recovery key.");
  return openRing(document, openBox(r, wrapContext(document, "password"), Buffer.from(wrap.box, "base64")));
}

/**
 * Opens with the account's recovery key (32 bytes, of parseRecoveryKey).
 * @throws HoldfastError key-wrong; seal-invalid or corrupt for a damaged document
 */
export function openWithRecovery(document: KeysDocument, privateKey: Uint8Array): OpenedKeys {
  const wrap = findWrap(document, "recovery");
  if (wrap === undefined) throw noWrap("a recovery key", "Open the vault with the account's password.");
  const recipient = Buffer.from(wrap.public, "base64");
  const context = wrapContext(document, "recovery");
  return openRing(document, openPublicBox(privateKey, recipient, context, Buffer.from(wrap.box, "base64")));
}

/**
 * Opens with a device's key pair (32 bytes each).
 * @throws HoldfastError key-wrong; seal-invalid or corrupt for a damaged document
 */
export function openWithDevice(
  document: KeysDocument,
  device: string,
  privateKey: Uint8Array,
  publicKey: Uint8Array,
): OpenedKeys {
  const wrap = document.wraps.find((each) => each.kind === "device" && each.device === device);
  if (wrap === undefined)
    throw noWrap("this device", "Enroll the device again: it was revoked, or never enrolled.");
  const context = wrapContext(document, "device", device);
  return openRing(document, openPublicBox(privateKey, publicKey, context, Buffer.from(wrap.box, "base64")));
}

// --- making and changing ---

function makePasswordWrap(
  document: Pick<KeysDocument, "account" | "vault" | "epoch">,
  e: Uint8Array,
  r: Uint8Array,
  kdf: KdfParameters,
): PasswordWrap {
  return {
    kind: "password",
    kdf: { suite: kdf.suite, iterations: kdf.iterations, salt: base64(kdf.salt) },
    box: base64(sealBox(r, wrapContext(document, "password"), e)),
  };
}

/** A wrap of E for a device's public key, which a gateway without keys then adds by addDeviceWrap. */
export function makeDeviceWrap(
  document: Pick<KeysDocument, "account" | "vault" | "epoch">,
  e: Uint8Array,
  device: string,
  publicKey: Uint8Array,
): DeviceWrap {
  const context = wrapContext(document, "device", device);
  return {
    kind: "device",
    device,
    public: base64(publicKey),
    box: base64(sealPublicBox(publicKey, context, e)),
  };
}

/** The first keys document of a new vault, with fresh E, S and A of epoch 1. */
export function createKeysDocument(vault: {
  readonly vaultId: string;
  readonly accountId: string;
  readonly r: Uint8Array;
  readonly kdf: KdfParameters;
  readonly recoveryPublic: Uint8Array;
}): OpenedKeys & { readonly document: KeysDocument } {
  const vaultId = fromHex(vault.vaultId, Width.vaultId);
  const e = randomBytes(wrappingKeyBytes);
  const s = randomBytes(Width.key);
  const secrets = { vaultId, s, epochs: new Map([[1, randomBytes(Width.key)]]), currentEpoch: 1 };
  const place = { account: vault.accountId, vault: vault.vaultId, epoch: 1 };
  const ring = sealBox(ringKey(e, vaultId, 1), ringContext(place.vault, 1), encodeRing(secrets));
  const document = parseKeysDocument({
    format: "holdfast-keys",
    version: 1,
    vault: place.vault,
    account: place.account,
    generation: 1,
    epoch: 1,
    ring: base64(ring),
    wraps: [
      makePasswordWrap(place, e, vault.r, vault.kdf),
      {
        kind: "recovery",
        public: base64(vault.recoveryPublic),
        box: base64(sealPublicBox(vault.recoveryPublic, wrapContext(place, "recovery"), e)),
      },
    ],
  });
  return { document, secrets, e };
}

/** The next generation, with the wrap of `holder` replaced by `wrap`, or taken out. */
function changed(document: KeysDocument, holder: string, wrap?: KeysWrap): KeysDocument {
  const others = document.wraps.filter((each) => holderOf(each) !== holder);
  const wraps = wrap === undefined ? others : [...others, wrap];
  return parseKeysDocument({ ...document, generation: document.generation + 1, wraps });
}

/**
 * The next generation with this device wrap added, or put in the place of the device's former one. Needs no key.
 * @throws HoldfastError corrupt for a malformed wrap
 */
export function addDeviceWrap(document: KeysDocument, wrap: DeviceWrap): KeysDocument {
  return changed(document, holderOf(wrap), wrap);
}

/** makeDeviceWrap and addDeviceWrap in one. */
export function withDeviceWrap(
  document: KeysDocument,
  e: Uint8Array,
  device: string,
  publicKey: Uint8Array,
): KeysDocument {
  return addDeviceWrap(document, makeDeviceWrap(document, e, device, publicKey));
}

/** The next generation without a device. What the device has read stays known to it. */
export function withoutDevice(document: KeysDocument, device: string): KeysDocument {
  return changed(document, `device/${device}`);
}

/** The next generation with E wrapped under a new R. */
export function withPassword(
  document: KeysDocument,
  e: Uint8Array,
  r: Uint8Array,
  kdf: KdfParameters,
): KeysDocument {
  return changed(document, "password", makePasswordWrap(document, e, r, kdf));
}
