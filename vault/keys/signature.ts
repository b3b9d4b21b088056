// Ed25519 signatures (RFC 8032) of documents that people outside check: receipts, home records, seed manifests.
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { fromHex, toHex } from "../bytes.ts";

export const signatureBytes = 64;
const keyBytes = 32;

// node:crypto takes Ed25519 keys as DER only; around the 32 bytes the encoding is fixed (RFC 8410).
const privateDerPrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const publicDerPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** Signs with one key. */
export class SigningKey {
  readonly #key: KeyObject;
  /** 64 hex digits. */
  readonly publicKey: string;

  /** `seed`: the 32 bytes of RFC 8032, section 5.1.5. */
  constructor(seed: Uint8Array) {
    if (seed.length !== keyBytes) throw new RangeError("an Ed25519 seed has 32 bytes");
    const key = Buffer.concat([privateDerPrefix, seed]);
    this.#key = createPrivateKey({ key, format: "der", type: "pkcs8" });
    key.fill(0);
    const publicDer = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicKey = toHex(publicDer.subarray(publicDerPrefix.length));
  }

  /** 64 bytes over `bytes`. */
  sign(bytes: Uint8Array): Buffer {
    return sign(null, bytes, this.#key);
  }
}

/** Whether `signer` (64 hex digits) made this signature over `bytes`. @throws HoldfastError corrupt for a signer of another form */
export function isSignedBy(signer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const key = Buffer.concat([publicDerPrefix, fromHex(signer, keyBytes)]);
  return verify(null, bytes, createPublicKey({ key, format: "der", type: "spki" }), signature);
}
