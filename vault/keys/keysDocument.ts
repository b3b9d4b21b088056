// keys/<generation>.json: the vault's secrets, wrapped for everyone who may open it (docs/format.md section 4).
//
// Documents are values: every change returns a new one with the next generation. Ids in them are hex.
import { randomBytes } from "node:crypto";
import { fromHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asArray, asHex, asInteger, asObject, asText, fromBase64, parseJson } from "../jsonFields.ts";
import { limits } from "../limits.ts";
import { formatVersion, Width } from "../magic.ts";
import { boxOverhead, openBox, openPublicBox, publicKeyOf } from "./box.ts";
import type { KdfParameters } from "./kdf.ts";
import {
  type DeviceWrap,
  type EscrowWrap,
  type KeysDocument,
  type KeysWrap,
  wrapContext,
} from "./keysTypes.ts";
import { type OpenedKeys, openRing, sealRing, wrappingKeyBytes } from "./ring.ts";
import {
  type EscrowHolder,
  escrowContext,
  holderOf,
  makeDeviceWrap,
  makeEscrowWrap,
  makePasswordWrap,
  makeRecoveryWrap,
  parseWrap,
} from "./wraps.ts";

const accountIdBytes = 16;
const generationMax = 99_999_999; // 8 digits in the file's name

// --- parsing ---

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `keys document: ${what}`);
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
  const escrows = wraps.filter(({ kind }) => kind === "escrow").length;
  if (escrows > limits.escrowsMax) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `keys document: ${escrows} escrow keys, ${limits.escrowsMax} at most`,
    );
  }
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

/** Those that an escrow key opens the document for: for people, boxes aside. */
export function escrowHolders(document: KeysDocument): EscrowHolder[] {
  return document.wraps
    .filter((wrap): wrap is EscrowWrap => wrap.kind === "escrow")
    .map(({ label, public: key, since }) => ({ label, public: key, since }));
}

/**
 * Opens with an escrow key (32 bytes, of parseRecoveryKey).
 * @throws HoldfastError key-wrong; seal-invalid or corrupt for a damaged document
 */
export function openWithEscrow(document: KeysDocument, privateKey: Uint8Array): OpenedKeys {
  const publicKey = publicKeyOf(privateKey);
  const own = publicKey.toString("base64");
  const wrap = document.wraps.find((each) => each.kind === "escrow" && each.public === own);
  if (wrap === undefined)
    throw noWrap("this escrow key", "`holdfast account escrow list` shows whom they are.");
  const context = escrowContext(document, publicKey);
  return openRing(document, openPublicBox(privateKey, publicKey, context, Buffer.from(wrap.box, "base64")));
}

// --- making and changing ---

/** The first keys document of a new vault, with fresh E, S and A of epoch 1. */
export function createKeysDocument(vault: {
  readonly vaultId: string;
  readonly accountId: string;
  readonly r: Uint8Array;
  readonly kdf: KdfParameters;
  readonly recoveryPublic: Uint8Array;
  readonly escrows?: readonly EscrowHolder[];
}): OpenedKeys & { readonly document: KeysDocument } {
  const vaultId = fromHex(vault.vaultId, Width.vaultId);
  const e = randomBytes(wrappingKeyBytes);
  const s = randomBytes(Width.key);
  const secrets = { vaultId, s, epochs: new Map([[1, randomBytes(Width.key)]]), currentEpoch: 1 };
  const place = { account: vault.accountId, vault: vault.vaultId, epoch: 1 };
  const document = parseKeysDocument({
    format: "holdfast-keys",
    version: 1,
    vault: place.vault,
    account: place.account,
    generation: 1,
    epoch: 1,
    ring: sealRing(place.vault, e, secrets),
    wraps: [
      makePasswordWrap(place, e, vault.r, vault.kdf),
      makeRecoveryWrap(place, e, vault.recoveryPublic),
      ...(vault.escrows ?? []).map((holder) => makeEscrowWrap(place, e, holder)),
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

/**
 * The next generation, which an escrow key opens too.
 * @throws HoldfastError exists for a name or key that is there; corrupt for a name that cannot be shown, or a hostile key; limit-exceeded
 */
export function withEscrow(document: KeysDocument, e: Uint8Array, holder: EscrowHolder): KeysDocument {
  const same = escrowHolders(document).find(
    ({ label, public: key }) => label === holder.label || key === holder.public,
  );
  if (same !== undefined) {
    throw new HoldfastError(
      ErrorCode.exists,
      `there is an escrow ${same.label} with this name or key already`,
      {
        next: "Choose another name, or remove that one first.",
      },
    );
  }
  const wrap = makeEscrowWrap(document, e, holder);
  return changed(document, holderOf(wrap), wrap);
}
