// Boxes wrap small secrets (docs/format.md section 4). ChaCha20-Poly1305 alone does not commit to its key: one box could be made
// to open under two keys. So a box carries a commitment, derived beside the key, that is compared first.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import { hkdf } from "./hkdf.ts";

export const boxSaltBytes = 32;
const commitmentBytes = 32;
/** What a box is longer than its secret. */
export const boxOverhead = boxSaltBytes + commitmentBytes + Width.tag;
/** What a public box is longer than its secret. */
export const publicBoxOverhead = Width.key + boxOverhead;

const zeroNonce = Buffer.alloc(12);

function boxKeys(kek: Uint8Array, salt: Uint8Array): { key: Buffer; commitment: Buffer } {
  const okm = hkdf(kek, salt, "holdfast box v1", 64);
  return { key: okm.subarray(0, 32), commitment: okm.subarray(32) };
}

/** Wraps `secret` under `kek`, bound to `context`. `salt` (32 bytes) is random unless a test vector fixes it. */
export function sealBox(
  kek: Uint8Array,
  context: string,
  secret: Uint8Array,
  salt: Uint8Array = randomBytes(boxSaltBytes),
): Buffer {
  const { key, commitment } = boxKeys(kek, salt);
  const cipher = createCipheriv("chacha20-poly1305", key, zeroNonce, { authTagLength: Width.tag });
  cipher.setAAD(Buffer.from(context, "utf8"), { plaintextLength: secret.length });
  const sealed = cipher.update(secret);
  cipher.final();
  key.fill(0);
  return Buffer.concat([salt, commitment, sealed, cipher.getAuthTag()]);
}

/**
 * The secret of a box.
 * @throws HoldfastError key-wrong when the box was made with another key; seal-invalid when it is damaged or of another context;
 * truncated, limit-exceeded for impossible lengths (over `bytesMax`)
 */
export function openBox(
  kek: Uint8Array,
  context: string,
  box: Uint8Array,
  bytesMax: number = limits.documentBytesMax,
): Buffer {
  if (box.length < boxOverhead) throw new HoldfastError(ErrorCode.truncated, `a box of ${box.length} bytes`);
  if (box.length > bytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `a box of ${box.length} bytes`);
  }
  const bytes = asBuffer(box);
  const sealedStart = boxSaltBytes + commitmentBytes;
  const tagStart = bytes.length - Width.tag;
  const { key, commitment } = boxKeys(kek, bytes.subarray(0, boxSaltBytes));
  if (!timingSafeEqual(commitment, bytes.subarray(boxSaltBytes, sealedStart))) {
    throw new HoldfastError(ErrorCode.keyWrong, "the key does not open this box");
  }
  const decipher = createDecipheriv("chacha20-poly1305", key, zeroNonce, { authTagLength: Width.tag });
  decipher.setAuthTag(bytes.subarray(tagStart));
  decipher.setAAD(Buffer.from(context, "utf8"), { plaintextLength: tagStart - sealedStart });
  const secret = decipher.update(bytes.subarray(sealedStart, tagStart));
  try {
    decipher.final();
  } catch (cause) {
    secret.fill(0);
    throw new HoldfastError(ErrorCode.sealInvalid, "the box is damaged or was made for another place", {
      cause,
    });
  } finally {
    key.fill(0);
  }
  return secret;
}

/** A new X25519 key pair, 32 bytes each. */
export function generateKeyPair(): { privateKey: Buffer; publicKey: Buffer } {
  const privateKey = randomBytes(Width.key);
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

// node:crypto takes X25519 keys as DER only; around the 32 bytes the encoding is fixed (RFC 8410).
const privateDerPrefix = Buffer.from("302e020100300506032b656e04220420", "hex");
const publicDerPrefix = Buffer.from("302a300506032b656e032100", "hex");

function privateKeyObject(privateKey: Uint8Array): KeyObject {
  if (privateKey.length !== Width.key) throw new RangeError("X25519 private keys have 32 bytes");
  return createPrivateKey({
    key: Buffer.concat([privateDerPrefix, privateKey]),
    format: "der",
    type: "pkcs8",
  });
}

/** The public half of a 32-byte X25519 private key. */
export function publicKeyOf(privateKey: Uint8Array): Buffer {
  const der = createPublicKey(privateKeyObject(privateKey)).export({ format: "der", type: "spki" });
  return Buffer.from(der.subarray(publicDerPrefix.length));
}

/** X25519. @throws HoldfastError corrupt when the result is all zero, as some hostile public keys make it */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Buffer {
  if (publicKey.length !== Width.key) throw new RangeError("X25519 public keys have 32 bytes");
  const other = createPublicKey({
    key: Buffer.concat([publicDerPrefix, publicKey]),
    format: "der",
    type: "spki",
  });
  let secret: Buffer | undefined;
  try {
    secret = diffieHellman({ privateKey: privateKeyObject(privateKey), publicKey: other });
  } catch {
    // OpenSSL refuses an all-zero result itself; the check below stays for libraries that do not.
  }
  if (secret === undefined || isZero(secret)) {
    throw new HoldfastError(ErrorCode.corrupt, "a public key of small order");
  }
  return secret;
}

function publicKek(secret: Uint8Array, ephemeralPublic: Uint8Array, recipientPublic: Uint8Array): Buffer {
  return hkdf(secret, Buffer.concat([ephemeralPublic, recipientPublic]), "holdfast x25519 v1", 32);
}

/**
 * Wraps `secret` for the holder of the private half of `recipientPublic`. `fixed` is for test vectors only.
 * @throws HoldfastError corrupt for a hostile public key
 */
export function sealPublicBox(
  recipientPublic: Uint8Array,
  context: string,
  secret: Uint8Array,
  fixed?: { readonly ephemeralPrivate: Uint8Array; readonly salt: Uint8Array },
): Buffer {
  const ephemeral = fixed?.ephemeralPrivate ?? randomBytes(Width.key);
  const ephemeralPublic = publicKeyOf(ephemeral);
  const kek = publicKek(sharedSecret(ephemeral, recipientPublic), ephemeralPublic, recipientPublic);
  const box = sealBox(kek, context, secret, fixed?.salt);
  kek.fill(0);
  return Buffer.concat([ephemeralPublic, box]);
}

/**
 * The secret of a public box.
 * @throws HoldfastError key-wrong when it was made for another key; otherwise as openBox
 */
export function openPublicBox(
  recipientPrivate: Uint8Array,
  recipientPublic: Uint8Array,
  context: string,
  box: Uint8Array,
): Buffer {
  if (box.length < publicBoxOverhead) {
    throw new HoldfastError(ErrorCode.truncated, `a public box of ${box.length} bytes`);
  }
  const ephemeralPublic = box.subarray(0, Width.key);
  const kek = publicKek(sharedSecret(recipientPrivate, ephemeralPublic), ephemeralPublic, recipientPublic);
  try {
    return openBox(kek, context, box.subarray(Width.key));
  } finally {
    kek.fill(0);
  }
}
