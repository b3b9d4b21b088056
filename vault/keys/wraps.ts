// Wraps of E, one for each holder (docs/format.md section 4). Making one takes E and nothing that opens it.
//
// Whoever has no key can put a wrap of his own making into a document, with his public key: it opens nothing, but the next rotation would wrap
// the new E for it. So a wrap for a public key carries a proof that somebody who had E made it.
import { createHmac, timingSafeEqual } from "node:crypto";
import { fromHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asHex, asInteger, asObject, asText, asTime, fromBase64, type JsonObject } from "../jsonFields.ts";
import { limits } from "../limits.ts";
import { KdfSuite, Width } from "../magic.ts";
import { boxOverhead, publicBoxOverhead, sealBox, sealPublicBox } from "./box.ts";
import { derive } from "./hkdf.ts";
import { type KdfParameters, kdfSaltBytes } from "./kdf.ts";
import {
  type DeviceWrap,
  type EscrowWrap,
  type KeysDocument,
  type KeysWrap,
  type PasswordWrap,
  type RecoveryWrap,
  wrapContext,
} from "./keysTypes.ts";
import { wrappingKeyBytes } from "./ring.ts";

/** What a wrap's context says of the document that it is for. */
type Place = Pick<KeysDocument, "account" | "vault" | "epoch">;

/** Whom an escrow wrap is for. */
export type EscrowHolder = Pick<EscrowWrap, "label" | "public" | "since">;

type PublicWrap = Exclude<KeysWrap, PasswordWrap>;

const proofBytes = 32;

/** 1 to 64 characters that can be shown. */
const escrowLabel = /^[^\p{C}\p{Zl}\p{Zp}]{1,64}$/u;

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Who a wrap is for: at most one wrap each. */
export function holderOf(wrap: KeysWrap): string {
  switch (wrap.kind) {
    case "device":
      return `device/${wrap.device}`;
    case "escrow":
      return `escrow/${wrap.public}`;
    default:
      return wrap.kind;
  }
}

// --- parsing ---

/** A base64 text of exactly `bytes` bytes, as text. */
function asBase64(value: unknown, what: string, bytes: number): string {
  const found = fromBase64(value, what);
  if (found.length === bytes) return value as string;
  throw new HoldfastError(
    ErrorCode.corrupt,
    `keys document: ${what} has ${found.length} bytes, not ${bytes}`,
  );
}

/** @throws HoldfastError corrupt, limit-exceeded; unsupported for a kind of wrap or KDF suite that is not known */
export function parseWrap(value: unknown): KeysWrap {
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
    case "escrow":
      return {
        kind,
        label: checkEscrowLabel(asText(json.label, "label of an escrow")),
        since: asTime(json.since, "since of an escrow"),
        ...parsePublicWrap(json),
      };
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

/** @throws HoldfastError corrupt for what no escrow may be called */
export function checkEscrowLabel(label: string): string {
  if (escrowLabel.test(label)) return label;
  throw new HoldfastError(
    ErrorCode.corrupt,
    `an escrow's name is 1 to 64 characters that can be shown, not ${JSON.stringify(label.slice(0, 100))}`,
  );
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

function parsePublicWrap(json: JsonObject): Pick<PublicWrap, "public" | "box" | "proof"> {
  return {
    public: asBase64(json.public, "public key", Width.key),
    box: asBase64(json.box, "public box", publicBoxOverhead + wrappingKeyBytes),
    ...(json.proof !== undefined && { proof: asBase64(json.proof, "proof", proofBytes) }),
  };
}

// --- making ---

/** E under R (24 bytes, of deriveLogin). */
export function makePasswordWrap(
  place: Place,
  e: Uint8Array,
  r: Uint8Array,
  kdf: KdfParameters,
): PasswordWrap {
  return {
    kind: "password",
    kdf: { suite: kdf.suite, iterations: kdf.iterations, salt: base64(kdf.salt) },
    box: base64(sealBox(r, wrapContext(place, "password"), e)),
  };
}

/** What a wrap's box is bound to. */
function contextOf(place: Place, wrap: KeysWrap): string {
  switch (wrap.kind) {
    case "device":
      return wrapContext(place, wrap.kind, wrap.device);
    case "escrow":
      return escrowContext(place, Buffer.from(wrap.public, "base64"));
    default:
      return wrapContext(place, wrap.kind);
  }
}

function proofOf(place: Place, e: Uint8Array, wrap: PublicWrap): Buffer {
  const key = derive(e, fromHex(place.vault, Width.vaultId), "holdfast wrap v1", place.epoch);
  const shown = wrap.kind === "escrow" ? `${wrap.label}\0${wrap.since}` : "";
  const proof = createHmac("sha256", key)
    .update(`${contextOf(place, wrap)}\0${wrap.public}\0${shown}`, "utf8")
    .digest();
  key.fill(0);
  return proof;
}

/** Whether somebody who had E made this wrap, for this public key and in this place. */
export function isProven(place: Place, e: Uint8Array, wrap: KeysWrap): boolean {
  if (wrap.kind === "password") return true;
  const shown = Buffer.from(wrap.proof ?? "", "base64");
  return shown.length === proofBytes && timingSafeEqual(shown, proofOf(place, e, wrap));
}

function proven<Wrap extends PublicWrap>(place: Place, e: Uint8Array, wrap: Wrap): Wrap {
  return { ...wrap, proof: base64(proofOf(place, e, wrap)) };
}

/** E for the account's recovery key, by its public half. */
export function makeRecoveryWrap(place: Place, e: Uint8Array, publicKey: Uint8Array): RecoveryWrap {
  const box = sealPublicBox(publicKey, wrapContext(place, "recovery"), e);
  return proven(place, e, { kind: "recovery", public: base64(publicKey), box: base64(box) });
}

/** A wrap of E for a device's public key, which a gateway without keys then adds by addDeviceWrap. */
export function makeDeviceWrap(
  place: Place,
  e: Uint8Array,
  device: string,
  publicKey: Uint8Array,
): DeviceWrap {
  const box = sealPublicBox(publicKey, wrapContext(place, "device", device), e);
  return proven(place, e, { kind: "device", device, public: base64(publicKey), box: base64(box) });
}

/** The context of an escrow's wrap. */
export function escrowContext(place: Place, publicKey: Uint8Array): string {
  return wrapContext(place, "escrow", Buffer.from(publicKey).toString("hex"));
}

/** E for an escrow key, by its public half. */
export function makeEscrowWrap(place: Place, e: Uint8Array, holder: EscrowHolder): EscrowWrap {
  const publicKey = Buffer.from(holder.public, "base64");
  const { label, since } = holder;
  const box = sealPublicBox(publicKey, escrowContext(place, publicKey), e);
  return proven(place, e, { kind: "escrow", label, since, public: holder.public, box: base64(box) });
}

/** The same holder's wrap in another place and of another E. `r`: of the password, which stays. */
export function rewrap(wrap: KeysWrap, place: Place, e: Uint8Array, r: Uint8Array): KeysWrap {
  const publicKey = "public" in wrap ? Buffer.from(wrap.public, "base64") : Buffer.alloc(0);
  switch (wrap.kind) {
    case "password":
      return makePasswordWrap(place, e, r, { ...wrap.kdf, salt: Buffer.from(wrap.kdf.salt, "base64") });
    case "recovery":
      return makeRecoveryWrap(place, e, publicKey);
    case "device":
      return makeDeviceWrap(place, e, wrap.device, publicKey);
    case "escrow":
      return makeEscrowWrap(place, e, wrap);
  }
}
